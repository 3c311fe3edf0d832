// Headers sort their table; without scripts the table stays as it is.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  [...table.tHead.rows[0].cells].forEach((header, column) => {
    const button = document.createElement("button");
    button.append(...header.childNodes);
    header.append(button);
    button.onclick = () => {
      const down = header.getAttribute("aria-sort") !== "descending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.key ?? "";
      const isNumber = header.classList.contains("number");
      // Rows without a value stay at the end.
      const compare = (a, b) => {
        if (key(a) === "" || key(b) === "") return (key(a) === "") - (key(b) === "");
        const order = isNumber ? parseFloat(key(a)) - parseFloat(key(b)) : key(a).localeCompare(key(b));
        return down ? -order : order;
      };
      body.append(...[...body.rows].sort(compare));
    };
  });
}
