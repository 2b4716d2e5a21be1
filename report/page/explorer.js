// The nearest neighbours of a car under two models, and which properties they share with it.
"use strict";
(() => {
  const element = document.getElementById("explorer-data");
  if (!element) return;
  const data = JSON.parse(element.textContent);
  const $ = (id) => document.getElementById(`explorer-${id}`);
  const { cars, queries, properties, models, chance } = data;
  const state = { query: 0, models: { a: 0, b: models.length - 1 }, open: null };

  const make = (name, attributes = {}, ...children) => {
    const made = Object.assign(document.createElement(name), attributes);
    made.append(...children);
    return made;
  };
  const percent = (share) => String(Math.round(100 * share));
  const value = (car, k) => properties[k].values[cars[car].codes[k]];
  const same = (car, other, k) => cars[car].codes[k] === cars[other].codes[k];
  const shared = (car, other) => properties.filter((_, k) => same(car, other, k)).length;
  const cell = (text, words, className) => make("td", { className }, make("span", { ariaHidden: "true", textContent: text }),
    make("span", { className: "hidden", textContent: words }));
  function explanation(car, other, model) {
    return data.explained.find((each) => each.query === cars[car].id && each.neighbor === cars[other].id && each.model === model.name);
  }

  function table(side) {
    const model = models[state.models[side]], car = queries[state.query], neighbors = model.neighbors[state.query];
    const heads = neighbors.map((other, rank) => make("th", { scope: "col" }, button(side, model, car, other, rank)));
    const numbers = ["Here", "All", "Chance"].map((textContent) => make("th", { scope: "col", textContent }));
    const rows = properties.map((property, k) => make("tr", {},
      make("th", { scope: "row" }, property.label, make("small", { textContent: value(car, k) })),
      ...neighbors.map((other) => (same(car, other, k) ? cell("●", "shared", "yes") : cell("·", "not", ""))),
      ...[neighbors.filter((other) => same(car, other, k)).length / neighbors.length, model.shares[k], chance[state.query][k]]
        .map((share) => make("td", { className: "r", textContent: percent(share) }))));
    const foot = make("tr", {}, make("th", { scope: "row", textContent: `Shared, of ${properties.length}` }),
      ...neighbors.map((other) => make("td", { textContent: shared(car, other) })), make("td", { colSpan: 3 }));
    $(side).replaceChildren(
      make("caption", { textContent: `${model.name} (${model.group}), by ${model.distance}; nearest first` }),
      make("thead", {}, make("tr", {}, make("td", { textContent: "" }), ...heads, ...numbers)),
      make("tbody", {}, ...rows), make("tfoot", {}, foot));
  }

  function button(side, model, car, other, rank) {
    const why = explanation(car, other, model), pressed = state.open?.side === side && state.open.other === other;
    const alt = `Neighbour ${rank + 1}: car ${cars[other].id}, shares ${shared(car, other)} of ${properties.length} properties`;
    const made = make("button", { type: "button", ariaPressed: String(pressed) },
      make("img", { src: cars[other].address, alt: alt + (why ? "; explained" : ""), width: 96, height: 96 }));
    if (why) made.dataset.explained = "";
    made.addEventListener("click", () => {
      state.open = pressed ? null : { side, other };
      render();
      $(side).querySelectorAll("button")[rank].focus();
    });
    return made;
  }

  function picture(car, text) {
    return make("figure", {}, make("img", { src: cars[car].address, alt: `Car ${cars[car].id}`, width: 96, height: 96 }),
      make("figcaption", { textContent: text }));
  }

  function detail() {
    $("detail").replaceChildren();
    if (!state.open) return;
    const car = queries[state.query], { side, other } = state.open, model = models[state.models[side]];
    const items = properties.map((property, k) => (same(car, other, k)
      ? make("li", { textContent: `${property.label}: both ${value(car, k)}` })
      : make("li", { className: "no", textContent: `${property.label}: ${value(car, k)}, neighbour ${value(other, k)}` })));
    $("detail").append(picture(car, `Car ${cars[car].id}`), picture(other, `Neighbour ${cars[other].id} under ${model.name}`),
      make("ul", {}, ...items));
    const why = explanation(car, other, model);
    if (why) {
      $("detail").append(make("figure", { className: "why" },
        make("img", { src: why.address, alt: `What makes cars ${cars[car].id} and ${cars[other].id} alike under ${model.name}` }),
        make("figcaption", { textContent: "What makes the two alike" })));
    }
  }

  function render() {
    const car = queries[state.query];
    $("about").textContent = `Car ${cars[car].id}: ${properties.map((property, k) => `${property.label.toLowerCase()} ${value(car, k)}`).join(", ")}.`;
    table("a");
    table("b");
    detail();
    $("view").dataset.shows = `${cars[car].id} ${state.models.a} ${state.models.b}`;
  }

  queries.forEach((car, i) => {
    const input = make("input", { type: "radio", name: "explorer-query", checked: i === 0 });
    input.addEventListener("change", () => { state.query = i; state.open = null; render(); });
    $("queries").append(make("label", {}, input,
      make("img", { src: cars[car].address, alt: `Car ${cars[car].id}: ${value(car, 0)}`, width: 64, height: 64 })));
  });
  for (const side of ["a", "b"]) {
    const select = $(`model-${side}`);
    for (const group of new Set(models.map((each) => each.group))) {
      const some = make("optgroup", { label: group });
      models.forEach((model, i) => {
        if (model.group === group) some.append(make("option", { value: i, textContent: model.name, selected: i === state.models[side] }));
      });
      select.append(some);
    }
    select.addEventListener("change", () => { state.models[side] = Number(select.value); state.open = null; render(); });
  }
  $("view").hidden = false;
  render();
})();
