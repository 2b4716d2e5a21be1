// Tables: what the number under pointer, touch or keyboard focus is; and the filter of the published numbers.
"use strict";
(() => {
  const panel = document.getElementById("number");
  const [of, full, more] = panel.querySelectorAll("p");

  function show(cell) {
    of.textContent = `${cell.closest("table").dataset.table}: ${cell.dataset.what}`;
    full.textContent = cell.dataset.full.replace(/^-/, "−");
    more.textContent = cell.dataset.more;
    more.hidden = !cell.dataset.more;
    panel.hidden = false;
  }
  const hide = () => { panel.hidden = true; };

  panel.querySelector("button").addEventListener("click", hide);
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
    table.addEventListener("pointerover", (event) => {
      const cell = event.target.closest("td.n");
      if (cell && event.pointerType === "mouse") show(cell);
    });
    table.addEventListener("keydown", (event) => {
      const step = steps[event.key];
      if (!step || !event.target.matches("td.n")) return;
      event.preventDefault();
      const row = rows.findIndex((each) => each.includes(current));
      const next = rows[row + step[0]]?.[rows[row].indexOf(current) + step[1]];
      if (next) next.focus();
    });
  }

  const choice = document.getElementById("compared-table");
  if (!choice) return;
  const words = document.getElementById("compared-words");
  const count = document.getElementById("compared-count");
  const rows = [...document.querySelectorAll("tr[data-row]")].map((row) => ({
    row, table: row.dataset.row, text: row.textContent.toLowerCase(), of: row.closest("[data-of]")?.dataset.of,
  }));

  function filter() {
    const wanted = words.value.trim().toLowerCase();
    const protocol = document.documentElement.dataset.protocol;
    let shown = 0, all = 0;
    for (const each of rows) {
      each.row.hidden = Boolean(choice.value && each.table !== choice.value) || !each.text.includes(wanted);
      if (each.of && each.of !== protocol) continue;
      all += 1;
      shown += !each.row.hidden;
    }
    for (const note of document.querySelectorAll("[data-note-of]")) {
      note.hidden = Boolean(choice.value && note.dataset.noteOf !== choice.value);
    }
    count.textContent = `${shown} of ${all} numbers`;
  }
  choice.addEventListener("change", filter);
  words.addEventListener("input", filter);
  document.addEventListener("protocol", filter);
  filter();
})();
