// Click a heading to sort its column: the first click puts the smallest first, the next the largest; undefined stays last.
document.querySelectorAll('table.sortable th button').forEach(button => button.addEventListener('click', () => {
  const heading = button.parentElement, body = heading.closest('table').tBodies[0], column = heading.cellIndex;
  const ascending = heading.getAttribute('aria-sort') !== 'ascending';
  heading.parentElement.querySelectorAll('th').forEach(other => other.removeAttribute('aria-sort'));
  heading.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');
  const key = row => row.cells[column].dataset.v ?? row.cells[column].textContent;
  const compare = (one, other) => {
    if (one === '' || other === '') return (one === '') - (other === '');
    const difference = isNaN(one) || isNaN(other) ? one.localeCompare(other) : one - other;
    return ascending ? difference : -difference;
  };
  [...body.rows].sort((one, other) => compare(key(one), key(other))).forEach(row => body.append(row));
}));
document.querySelectorAll('details').forEach(part => addEventListener('beforeprint', () => { part.open = true; }));
