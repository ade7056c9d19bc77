// What is known of the selected snapshot, and its neighbours in both directions.

function drawDetails() {
  const { selected } = state;
  if (selected === null) {
    const hint = 'Click a point of the map, or find a member by its number, to see its classes, settings, results and neighbours.';
    byId('details').replaceChildren(node('h3', {}, 'No point is selected'), node('p', { class: 'caption' }, hint));
    return;
  }
  const member = memberOf(selected);
  const of = snapshots.members.flatMap((other, snapshot) => (other === member ? [snapshot] : []));
  const choices = of.map((snapshot) =>
    node('button', { type: 'button', 'aria-pressed': snapshot === selected, onclick: () => select(snapshot) }, snapshotName(snapshot))
  );
  const kept = state.kept.includes(member);
  const keep = node('button', { type: 'button', id: 'keep', 'aria-pressed': kept, onclick: () => toggleKept(member) }, 'keep its curve');
  const close = node('button', { type: 'button', onclick: () => select(null) }, 'close');
  const own = ['cosine', 'rank of its (D, R)', 'rank of its weights'].filter((name) => columns.has(name));
  byId('details').replaceChildren(
    node('h3', {}, `${memberName(member)}, ${snapshotName(selected)}`),
    node('div', { class: 'buttons' }, ...(of.length > 1 ? choices : []), keep, close),
    ...classRows(member, 12),
    node('h3', {}, 'Results'),
    facts(RESULTS, selected),
    ...(own.length ? [node('h3', {}, 'Its weights and its (D, R)'), facts(own, selected)] : []),
    ...directions.flatMap((direction) => neighbourList(direction, selected)),
    node('h3', {}, 'Settings'),
    facts(PLAN, selected)
  );
}

function neighbourList(direction, selected) {
  const { title, to, colour } = DIRECTIONS[direction];
  const rows = neighbours(direction, selected).map(({ snapshot, cosine }) => {
    const member = memberOf(snapshot);
    const own = member === memberOf(selected) ? 'what own' : 'what';
    const what = node('span', { class: own }, `${memberName(member)}, ${snapshotName(snapshot)} `, node('small', {}, taskName(member)));
    const look = () => pointTo(to, snapshot);
    const away = () => pointTo(null);
    const actions = { onclick: () => (pointTo(null), select(snapshot)), onmouseenter: look, onfocus: look, onmouseleave: away, onblur: away };
    const name = { 'data-snapshot': snapshot, title: taskName(member) };
    return node('li', {}, node('button', { type: 'button', ...name, ...actions }, what, node('span', {}, cosine.toFixed(3))));
  });
  const heading = node('h3', {}, node('span', { class: 'key', style: { borderColor: colour } }), title);
  return [heading, node('ol', { class: 'near', 'data-direction': direction }, ...rows)];
}

function toggleKept(member) {
  state.kept = state.kept.includes(member) ? state.kept.filter((other) => other !== member) : [...state.kept, member];
  changed();
}
