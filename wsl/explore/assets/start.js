// Starts all parts of the page.

function countsText() {
  const { members: [shownMembers, allMembers], snapshots: [shownSnapshots, all], left_out: leftOut } = data.counts;
  const text = `${shownMembers} members, ${shownSnapshots} snapshots`;
  const part = shownSnapshots < all ? ` (the first of each part, out of ${allMembers} members and ${all} snapshots)` : '';
  return text + part + (leftOut ? `; ${leftOut} snapshots whose points are not finite are left out` : '');
}

byId('counts').textContent = countsText();
if (location.protocol === 'about:') byId('report').remove(); // inside a notebook
startMap();
startFilters();
startCurves();
startMethods();
views.push(drawDetails);
applyFilters();
for (const one of [chart, ...Object.values(curveCharts)]) {
  new ResizeObserver(() => one.getDom().clientWidth && one.resize()).observe(one.getDom());
}
