// Colours of points by a column, and their legend. All colours are safe for colour-blind readers.

const VIRIDIS = ['#440154', '#472d7b', '#3b528b', '#2c728e', '#21918c', '#28ae80', '#5ec962', '#addc30', '#fde725'];
const OTHER = '#a0a0a0'; // categories without a colour of their own, and missing values
const FEW = 6; // numbers with at most this many distinct values are coloured as categories

/** Return the distinct values of a column on the map, as {value, label, count}, the most frequent first. */
function categories(column) {
  const counts = new Map();
  for (let snapshot = 0; snapshot < snapshots.members.length; snapshot++) {
    const value = valueOf(column, snapshot);
    counts.set(value, (counts.get(value) || 0) + 1);
  }
  const label = (value) => (column.text ? column.text[value] : value === null ? 'none' : short(value));
  const found = [...counts].map(([value, count]) => ({ value, label: label(value), count }));
  return found.sort((one, other) => other.count - one.count || (one.value > other.value ? 1 : -1));
}

const distinct = (column) => new Set(column.values).size;
const isCategorical = (column) => Boolean(column.text) || distinct(column) <= FEW;

/** Return {of(snapshot), legend}: the colour of a snapshot by a column, and what explains it. */
function colouring(column) {
  if (isCategorical(column)) {
    let found = categories(column);
    const first = found.slice(0, data.palette.length - (found.length > data.palette.length ? 1 : 0));
    if (!column.text) found = first.sort((one, other) => one.value - other.value);
    const colours = new Map(first.map(({ value }, place) => [value, data.palette[place]]));
    const rest = snapshots.members.length - first.reduce((sum, { count }) => sum + count, 0);
    const chips = first.map(({ value, label, count }) => chip(colours.get(value), `${label} (${count})`));
    if (rest) chips.push(chip(OTHER, `others (${rest})`));
    return { of: (snapshot) => colours.get(valueOf(column, snapshot)) || OTHER, legend: chips };
  }
  const known = column.values.filter((value) => value !== null);
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const logarithmic = low > 0 && high / low > 20;
  const scale = (value) => (logarithmic ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
  const bar = node('span', { class: 'scale', style: { background: `linear-gradient(90deg, ${VIRIDIS.join(', ')})` } });
  const legend = [node('span', {}, short(low)), bar, node('span', {}, short(high) + (logarithmic ? ', logarithmic' : ''))];
  const of = (snapshot) => {
    const value = valueOf(column, snapshot);
    return value === null ? OTHER : between(scale(value));
  };
  return { of, legend };
}

function chip(colour, label) {
  return node('span', {}, node('i', { style: { background: colour } }), label);
}

/** Return the colour of the scale at 0 to 1. */
function between(share) {
  const place = Math.min(Math.max(share, 0), 1) * (VIRIDIS.length - 1);
  const low = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const channel = (colour, at) => parseInt(colour.slice(at, at + 2), 16);
  const mixed = [1, 3, 5].map((at) => {
    const [from, to] = [channel(VIRIDIS[low], at), channel(VIRIDIS[low + 1], at)];
    return Math.round(from + (to - from) * (place - low));
  });
  return `rgb(${mixed.join(', ')})`;
}
