// The data of the page, what is selected, and small helpers that all views use.
'use strict';

const data = JSON.parse(document.getElementById('data').textContent);
const { members, snapshots } = data;
const state = {
  selected: null, // a snapshot
  kept: [], // members whose learning curves stay in colour
  visible: snapshots.members.map((_, snapshot) => snapshot), // snapshots that the filters let through
};
const views = []; // functions that draw `state`; each is called after every change

function changed() {
  for (const draw of views) draw();
}

function select(snapshot) {
  state.selected = snapshot;
  changed();
}

/** Return an element. Texts are added as text, never as HTML, so names of classes and columns can hold anything. */
function node(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'style') Object.assign(element.style, value);
    else if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const byId = (id) => document.getElementById(id);
for (const form of document.querySelectorAll('form')) form.addEventListener('submit', (event) => event.preventDefault());

// Columns by name: of snapshots, then of members.
const columns = new Map();
for (const [name, column] of Object.entries(snapshots.columns)) columns.set(name, { ...column, name, ofMember: false });
for (const [name, column] of Object.entries(members.columns)) {
  if (!columns.has(name)) columns.set(name, { ...column, name, ofMember: true });
}

const memberOf = (snapshot) => snapshots.members[snapshot];
const valueOf = (column, snapshot) => column.values[column.ofMember ? memberOf(snapshot) : snapshot];

/** Return a value as people read it. */
function shown(column, snapshot) {
  const value = valueOf(column, snapshot);
  if (column.text) return column.text[value];
  return value === null ? 'none' : short(value);
}

function short(value) {
  if (Number.isInteger(value)) return String(value);
  const size = Math.abs(value);
  return size !== 0 && (size < 1e-4 || size >= 1e5) ? value.toExponential(2) : String(Number(value.toPrecision(3)));
}

const words = (name) => name.replaceAll('_', ' ');
const memberName = (member) => `member ${members.names[member]}`;
const snapshotName = (snapshot) => shown(columns.get('snapshot'), snapshot);
const className = (position) => members.classes[position];
const taskOf = (member) => members.tasks[members.task[member]];
const FIRST = 6; // classes in the name of a task
const taskName = (member) => taskOf(member).slice(0, FIRST).map(className).join(' / ') + (taskOf(member).length > FIRST ? ' …' : '');

/** Return a task's classes as rows with example images, at most `most` of them. */
function classRows(member, most) {
  const task = taskOf(member);
  const rows = task.slice(0, most).map((position) => {
    const picture = data.pictures[position];
    const image = picture ? node('img', { src: picture, alt: `examples of ${className(position)}` }) : null;
    return node('div', { class: 'class' }, image, node('span', {}, className(position)));
  });
  if (task.length > most) rows.push(node('div', { class: 'class' }, `and ${task.length - most} more classes`));
  return rows;
}

/** Return a list of names and values. */
function facts(names, snapshot) {
  const list = node('dl');
  for (const name of names) {
    list.append(node('dt', {}, words(name)), node('dd', {}, shown(columns.get(name), snapshot)));
  }
  return list;
}

const RESULTS = ['epoch', 'train_loss', 'train_accuracy', 'validation_loss', 'validation_accuracy'].filter((name) =>
  columns.has(name)
);
const PLAN = [...columns.values()].filter((column) => column.ofMember).map((column) => column.name);
