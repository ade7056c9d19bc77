// Learning curves: all members in grey, the selected and the kept ones in colour.

const greyDrawn = { visible: null, part: null }; // what the grey curves show
const curveCharts = { loss: echarts.init(byId('loss-curves')), accuracy: echarts.init(byId('accuracy-curves')) };

/** Return the points [epoch, value] of a member's curve. */
function curve(member, name) {
  const values = data.curves[name] || [];
  const points = [];
  for (let row = data.curves.starts[member]; row < data.curves.starts[member + 1]; row++) {
    points.push([data.curves.epoch[row], values[row] ?? '-']);
  }
  return points;
}

/** Return the members in colour: the kept ones, then the selected one. */
function curveMembers() {
  const selected = state.selected === null ? [] : [memberOf(state.selected)];
  return [...new Set([...state.kept, ...selected])];
}

const curveColour = (place) => data.palette[place % data.palette.length];

function drawCurves() {
  const part = document.querySelector('#curve-controls [name=part]:checked').value;
  const bold = curveMembers();
  const unchanged = greyDrawn.visible === state.visible && greyDrawn.part === part; // keeps its many points
  Object.assign(greyDrawn, { visible: state.visible, part });
  const visible = [...new Set(state.visible.map(memberOf))];
  for (const [metric, drawn] of Object.entries(curveCharts)) {
    const name = `${part}_${metric}`;
    const faint = {
      id: 'all',
      type: 'line',
      ...(unchanged ? {} : { data: visible.flatMap((member) => [...curve(member, name), ['-', '-']]) }),
      showSymbol: false,
      silent: true,
      lineStyle: { color: '#8a9199', width: 0.8, opacity: 0.45 },
      tooltip: { show: false },
      z: 1,
    };
    const lines = bold.map((member, place) => ({
      id: `member ${member}`,
      name: memberName(member),
      type: 'line',
      data: curve(member, name),
      symbolSize: 5,
      lineStyle: { color: curveColour(place), width: 2.5 },
      itemStyle: { color: curveColour(place) },
      z: 3,
    }));
    const logarithmic = metric === 'loss' && byId('logarithmic').checked;
    const yAxis = { type: logarithmic ? 'log' : 'value', name: words(name), scale: true, nameTextStyle: { align: 'left' } };
    drawn.setOption({ yAxis, series: [faint, ...lines] }, { replaceMerge: ['series'] });
  }
  drawKept(bold);
}

function drawKept(bold) {
  const chips = bold.map((member, place) => {
    const line = node('i', { style: { borderColor: curveColour(place) } });
    if (!state.kept.includes(member)) return node('span', {}, line, `${memberName(member)} (selected)`);
    const label = `remove the curve of ${memberName(member)}`;
    return node('button', { type: 'button', 'aria-label': label, onclick: () => toggleKept(member) }, line, `${memberName(member)} ×`);
  });
  byId('kept').replaceChildren(...(chips.length ? chips : [node('span', { class: 'caption' }, 'No member is selected.')]));
}

function startCurves() {
  for (const [metric, drawn] of Object.entries(curveCharts)) {
    drawn.setOption({
      animation: false,
      grid: { left: 8, right: 16, top: 36, bottom: 28, containLabel: true },
      xAxis: { type: 'value', name: 'epoch', nameLocation: 'middle', nameGap: 24, minInterval: 1, max: 'dataMax', splitLine: { show: false } },
      yAxis: { type: 'value' },
      tooltip: { trigger: 'axis', valueFormatter: (value) => (typeof value === 'number' ? short(value) : 'none'), confine: true },
    });
  }
  byId('curve-controls').addEventListener('change', drawCurves);
  views.push(drawCurves);
}
