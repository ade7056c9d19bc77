// Filters by columns, the search for a member, and the choice of colours.

const filters = []; // {passes(snapshot)}
const CHOICES = 20; // a column with more distinct texts is filtered by a part of the text
const AS_CLASS = 'class of the task';

function applyFilters() {
  const all = snapshots.members.map((_, snapshot) => snapshot);
  state.visible = all.filter((snapshot) => filters.every((filter) => filter.passes(snapshot)));
  const count = new Set(state.visible.map(memberOf)).size;
  const total = new Set(snapshots.members).size;
  byId('visible').textContent = `${count} of ${total} members, ${state.visible.length} of ${all.length} snapshots`;
  changed();
}

function addFilter(name) {
  const filter = { passes: () => true };
  const remove = node('button', { type: 'button', 'aria-label': `remove the filter by ${words(name)}` }, '×');
  const box = node('fieldset', { 'data-column': name }, node('legend', {}, words(name), ' ', remove), ...filterBody(name, filter));
  remove.addEventListener('click', () => {
    filters.splice(filters.indexOf(filter), 1);
    box.remove();
    applyFilters();
  });
  filters.push(filter);
  byId('filters').append(box);
  box.querySelector('input')?.focus();
}

function filterBody(name, filter) {
  if (name === AS_CLASS) {
    return textFilter(filter, (snapshot) => taskOf(memberOf(snapshot)).map(className), members.classes, true);
  }
  const column = columns.get(name);
  if (!isCategorical(column)) return rangeFilter(filter, column);
  const found = categories(column);
  if (found.length > CHOICES) {
    return textFilter(filter, (snapshot) => [shown(column, snapshot)], found.map(({ label }) => label), false);
  }
  const off = new Set();
  filter.passes = (snapshot) => !off.has(valueOf(column, snapshot));
  const boxes = found.map(({ value, label, count }) => {
    const toggle = (event) => (event.target.checked ? off.delete(value) : off.add(value), applyFilters());
    return node('label', { class: 'inline' }, node('input', { type: 'checkbox', checked: '', onchange: toggle }), `${label} (${count})`);
  });
  return [node('div', { class: 'choices' }, ...boxes)];
}

function textFilter(filter, texts, suggestions, whole) {
  const list = node('datalist', { id: `texts-${filters.length}-${Date.now()}` }, ...suggestions.map((value) => node('option', { value })));
  const change = (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    const known = suggestions.some((text) => text.toLowerCase() === wanted);
    const fits = (text) => (whole && known ? text.toLowerCase() === wanted : text.toLowerCase().includes(wanted));
    filter.passes = (snapshot) => !wanted || texts(snapshot).some(fits);
    applyFilters();
  };
  return [node('input', { list: list.id, placeholder: 'name', 'aria-label': 'name', oninput: change }), list];
}

function rangeFilter(filter, column) {
  const known = column.values.filter((value) => value !== null);
  const bounds = { least: -Infinity, most: Infinity };
  filter.passes = (snapshot) => {
    const value = valueOf(column, snapshot);
    if (value === null) return bounds.least === -Infinity && bounds.most === Infinity;
    return value >= bounds.least && value <= bounds.most;
  };
  const input = (key, empty, placeholder) => {
    const change = (event) => {
      bounds[key] = event.target.value === '' ? empty : Number(event.target.value);
      applyFilters();
    };
    return node('input', { type: 'number', step: 'any', placeholder: short(placeholder), 'aria-label': `${key} ${words(column.name)}`, oninput: change });
  };
  const [low, high] = [Math.min(...known), Math.max(...known)];
  return [node('div', { class: 'range' }, input('least', -Infinity, low), '–', input('most', Infinity, high))];
}

/** Select the last snapshot of the member whose number is given. */
function findMember(event) {
  const member = members.names.indexOf(Number(event.target.value || NaN));
  const snapshot = snapshots.members.lastIndexOf(member);
  event.target.setCustomValidity(event.target.value && snapshot < 0 ? 'No member on the map has this number.' : '');
  event.target.reportValidity();
  if (member >= 0 && snapshot >= 0) select(snapshot);
}

function startFilters() {
  const varied = [...columns.values()].filter((column) => distinct(column) > 1 && column.name !== 'seed');
  const names = varied.map((column) => column.name);
  const usual = ['part', 'validation_accuracy', 'snapshot'].find((name) => names.includes(name));
  const options = names.length ? names : [...columns.keys()].slice(0, 1);
  byId('colour').append(...options.map((name) => node('option', { value: name }, words(name))));
  if (usual) byId('colour').value = usual;
  const chosen = [AS_CLASS, ...names];
  byId('filter').append(...chosen.map((name) => node('option', { value: name }, words(name))));
  byId('filter').addEventListener('change', (event) => {
    addFilter(event.target.value);
    event.target.value = '';
  });
  byId('found').append(...members.names.map((name, member) => node('option', { value: name }, taskName(member))));
  byId('find').addEventListener('change', findMember);
}
