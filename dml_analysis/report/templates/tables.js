// Tables: what the number under pointer, touch or keyboard focus is; digits that the window cuts; sorting; filtering.
"use strict";
(() => {
  // --- what a number is --------------------------------------------------------------------------------------------
  const panel = document.getElementById("number");
  const [of, full, more] = panel.querySelectorAll("p");

  function show(cell) {
    of.textContent = `${cell.closest("table").dataset.table}: ${cell.dataset.what}`;
    full.textContent = cell.dataset.full;
    more.textContent = cell.dataset.more;
    panel.hidden = false;
  }
  const hide = () => { panel.hidden = true; };
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // One stop for the Tab key in each table; arrow keys go from number to number.
  const steps = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
  for (const table of document.querySelectorAll("table[data-table]")) {
    const rows = [...table.rows].map((row) => [...row.querySelectorAll("td.n")]).filter((row) => row.length);
    if (!rows.length) continue;
    let current = rows[0][0];
    current.tabIndex = 0;
    const take = (cell) => { current.tabIndex = -1; current = cell; current.tabIndex = 0; };
    table.addEventListener("focusin", (event) => {
      const cell = event.target.closest("td.n");
      if (cell) { take(cell); show(cell); }
    });
    table.addEventListener("focusout", hide);
    table.addEventListener("pointerover", (event) => {
      const cell = event.target.closest("td.n");
      if (event.pointerType === "mouse") (cell ? show(cell) : hide());
    });
    table.addEventListener("pointerleave", hide);
    table.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (!step || !event.target.matches("td.n")) return;
      event.preventDefault();
      const row = rows.findIndex((each) => each.includes(current));
      const next = rows[row + step[0]]?.[rows[row].indexOf(current) + step[1]];
      if (next) next.focus();
    });
  }

  // --- digits that are cut -----------------------------------------------------------------------------------------
  // A number that is partly under the names of rows, or beyond the edge, is not shown at all.
  const observers = new Map();
  const resized = new ResizeObserver((entries) => {
    for (const { target: box } of entries) {
      observers.get(box)?.disconnect();
      const names = box.querySelector("thead tr:last-child > :first-child");
      if (!names?.offsetWidth) continue;
      const observer = new IntersectionObserver(
        (seen) => { for (const { target, intersectionRatio } of seen) target.classList.toggle("cut", intersectionRatio < 0.98); },
        { root: box, rootMargin: `10000px 0px 10000px -${names.offsetWidth}px`, threshold: [0.5, 0.98] });
      for (const cell of box.querySelectorAll("td.n, td.r")) if (cell.offsetWidth < box.clientWidth / 3) observer.observe(cell);
      observers.set(box, observer);
    }
  });
  for (const box of document.querySelectorAll(".table .box")) resized.observe(box);

  // --- sorting -----------------------------------------------------------------------------------------------------
  function sort(table, column, button) {
    const head = button.parentElement, body = table.tBodies[0];
    const falls = head.getAttribute("aria-sort") === "ascending";
    const key = (row) => {
      const text = row.cells[column].textContent.trim(), value = parseFloat(text.replace("−", "-").replace(",", ""));
      return Number.isNaN(value) ? text : value;
    };
    const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : typeof a === typeof b ? a.localeCompare(b) : typeof a === "number" ? -1 : 1);
    const rows = [...body.rows].map((row) => [key(row), row]).sort(([a], [b]) => compare(a, b));
    for (const each of table.tHead.querySelectorAll("[aria-sort]")) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", falls ? "descending" : "ascending");
    body.append(...(falls ? rows.reverse() : rows).map(([, row]) => row));
  }
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, column, button));
      head.append(button);
    });
  }

  // --- published numbers -------------------------------------------------------------------------------------------
  const choice = document.getElementById("compared-table");
  if (!choice) return;
  const words = document.getElementById("compared-words");
  const rows = [...document.querySelectorAll("tr[data-row]")].map((row) => ({
    row, table: row.dataset.row, text: row.textContent.toLowerCase(), of: row.closest("[data-of]")?.dataset.of,
  }));
  const tables = [...choice.options].map((each) => each.value);
  view.add("table", tables.at(-1), tables);
  view.add("filter", "");

  function filter() {
    const wanted = view.get("filter").toLowerCase().split(/\s+/), table = view.get("table");
    choice.value = table;
    if (words.value !== view.get("filter")) words.value = view.get("filter");
    let shown = 0, all = 0;
    for (const each of rows) {
      each.row.hidden = Boolean(table && each.table !== table) || !wanted.every((word) => each.text.includes(word));
      if (each.of && each.of !== view.get("protocol")) continue;
      all += 1;
      shown += !each.row.hidden;
    }
    for (const note of document.querySelectorAll("[data-note-of]")) note.hidden = Boolean(table && note.dataset.noteOf !== table);
    for (const message of document.querySelectorAll("[data-no-result]")) message.hidden = shown > 0;
    document.getElementById("compared-count").textContent = `${shown} of ${all} numbers`;
  }
  choice.addEventListener("change", () => view.set({ table: choice.value }));
  words.addEventListener("input", () => view.set({ filter: words.value }));
  view.on(["protocol", "table", "filter"], filter);
  filter();
})();
