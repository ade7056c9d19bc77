// The table of methods, sorted by any column.

const NOT_TUNED = 'without training on the task';
const sorting = { key: null, descending: true };

/** Return the columns of accuracies after a number of epochs, as {key, title, cells by method}. */
function accuracyColumns(epochs) {
  const found = new Map();
  for (const cell of data.accuracy.cells) {
    if (cell.epochs !== epochs) continue;
    const images = cell.images === 'all' ? 'all images' : cell.images === '0' ? 'class names' : `${cell.images} image${cell.images === '1' ? '' : 's'} per class`;
    const key = `${cell.classes}, ${images}`;
    if (!found.has(key)) found.set(key, { key, title: `${cell.classes}\n${images}`, cells: new Map() });
    found.get(key).cells.set(cell.method, cell);
  }
  return [...found.values()];
}

function drawMethods() {
  const epochs = Number(byId('epochs').value);
  const shownColumns = accuracyColumns(epochs);
  const sorted = shownColumns.find(({ key }) => key === sorting.key);
  if (!sorted && !['method', 'kind'].includes(sorting.key)) sorting.key = shownColumns[0].key;
  const names = Object.keys(data.accuracy.methods).filter((name) => shownColumns.some(({ cells }) => cells.has(name)));
  const rank = (name) => {
    const { label, kind } = data.accuracy.methods[name];
    const column = shownColumns.find(({ key }) => key === sorting.key);
    return column ? column.cells.get(name)?.numbers[0] : sorting.key === 'kind' ? kind : label;
  };
  names.sort((one, other) => {
    const [left, right] = [rank(one), rank(other)];
    if (left === undefined || right === undefined) return (left === undefined) - (right === undefined);
    const order = left < right ? -1 : Number(left > right);
    return sorting.descending ? -order : order;
  });
  const heads = [{ key: 'method', title: 'method' }, { key: 'kind', title: 'kind' }, ...shownColumns].map(head);
  byId('accuracies').replaceChildren(
    node('thead', {}, node('tr', {}, ...heads)),
    node('tbody', {}, ...names.map((name) => methodRow(name, shownColumns)))
  );
}

function head({ key, title }) {
  const order = sorting.key !== key ? 'none' : sorting.descending ? 'descending' : 'ascending';
  const sort = () => {
    sorting.descending = sorting.key === key ? !sorting.descending : !['method', 'kind'].includes(key);
    sorting.key = key;
    drawMethods();
    document.querySelector(`#accuracies th[data-key="${CSS.escape(key)}"] button`).focus();
  };
  return node('th', { scope: 'col', 'aria-sort': order, 'data-key': key }, node('button', { type: 'button', onclick: sort }, title));
}

function methodRow(name, shownColumns) {
  const { label, kind, colour, chosen } = data.accuracy.methods[name];
  const first = node('td', {}, node('i', { style: { background: colour } }), label);
  const cells = shownColumns.map(({ cells }) => accuracyCell(cells.get(name)));
  const role = kind + (chosen ? ', chosen' : '');
  return node('tr', { class: chosen ? 'chosen' : undefined, 'data-method': name }, first, node('td', {}, role), ...cells);
}

function accuracyCell(cell) {
  if (!cell) return node('td', { class: 'number' });
  const [mean, low, high] = cell.numbers;
  const percent = (value) => (100 * value).toFixed(1);
  const interval = low === null || high === null ? '' : ` (${percent(low)} to ${percent(high)})`;
  const mark = cell.strongest ? node('b', { class: 'mark', title: 'strongest baseline' }, ' ◆') : null;
  const place = (value) => `${Math.min(Math.max(100 * value, 0), 100)}%`;
  const bar = node('span', { class: 'bar', 'aria-hidden': 'true' });
  if (interval) bar.append(node('span', { class: 'interval', style: { left: place(low), right: `calc(100% - ${place(high)})` } }));
  if (data.chance) bar.append(node('span', { class: 'chance', style: { left: place(data.chance) } }));
  bar.append(node('span', { class: 'mean', style: { left: place(mean) } }));
  const look = cell.strongest ? 'number strongest' : 'number';
  return node('td', { class: look }, percent(mean), node('small', {}, interval), mark, bar);
}

function startMethods() {
  if (!data.accuracy) return;
  const epochs = [...new Set(data.accuracy.cells.map((cell) => cell.epochs))].sort((one, other) => one - other);
  const options = epochs.map((count) =>
    node('option', { value: count }, count ? `after ${count} epoch${count > 1 ? 's' : ''} of fine-tuning` : NOT_TUNED)
  );
  byId('method-controls').append(node('label', {}, 'Models ', node('select', { id: 'epochs', onchange: drawMethods }, ...options)));
  drawMethods();
}
