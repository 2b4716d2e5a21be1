// The nearest neighbours of an image under two models, and which properties they share with it.
"use strict";
(() => {
  const element = document.getElementById("explorer-data");
  if (!element) return;
  const data = JSON.parse(element.textContent);
  const $ = (id) => document.getElementById(`explorer-${id}`);
  const { cars, queries, properties, models, chance } = data;
  const word = data.word, Word = word[0].toUpperCase() + word.slice(1); // what an image is called
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
  const explanation = (query, other) => data.explained.find((each) => each.query === query && each.neighbor === other);
  const rankUnder = (model, other) => model.neighbors[state.query].indexOf(other) + 1; // 0: not among the nearest

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
    const why = explanation(state.query, other), pressed = state.open?.side === side && state.open.other === other;
    const alt = `Neighbour ${rank + 1}: ${word} ${cars[other].id}, shares ${shared(car, other)} of ${properties.length} properties`;
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
    return make("figure", {}, make("img", { src: cars[car].address, alt: `${Word} ${cars[car].id}`, width: 96, height: 96 }),
      make("figcaption", { textContent: text }));
  }

  function detail() {
    $("detail").replaceChildren();
    if (!state.open) return;
    const car = queries[state.query], { side, other } = state.open, model = models[state.models[side]];
    const items = properties.map((property, k) => (same(car, other, k)
      ? make("li", { textContent: `${property.label}: both ${value(car, k)}` })
      : make("li", { className: "no", textContent: `${property.label}: ${value(car, k)}, neighbour ${value(other, k)}` })));
    const under = rankUnder(model, other) ? `Neighbour ${cars[other].id} under ${model.name}` : `${Word} ${cars[other].id}`;
    $("detail").append(picture(car, `${Word} ${cars[car].id}`), picture(other, under), make("ul", {}, ...items));
    const why = explanation(state.query, other);
    if (why) $("detail").append(explained(why));
  }

  // The maps of an explained pair under all models that have them, by the selected protocol or else another one.
  function explained(why) {
    const chosen = document.documentElement.dataset.protocol;
    const protocol = why.maps[chosen]?.length ? chosen : Object.keys(why.maps).find((each) => why.maps[each].length);
    const [car, other] = [queries[why.query], why.neighbor];
    const shown = why.maps[protocol].map(({ model, address }) => make("figure", {},
      make("img", { src: address, width: 320, height: 160,
        alt: `What makes cars ${cars[car].id} and ${cars[other].id} alike under ${model}: both with a map laid over` }),
      make("figcaption", { textContent: `${model}: ${place(models.find((each) => each.name === model), other)}` })));
    return make("section", { className: "why", ariaLabel: "What makes the two alike" },
      make("h3", { textContent: `What makes the two alike (protocol ${protocol})` }),
      make("p", { className: "note", textContent: "Car left, neighbour right. The brighter a pixel, the more it moves the distance between the two embeddings; each map is scaled to 0 to 1." }),
      make("div", { className: "panels" }, ...shown));
  }

  function place(model, other) {
    const rank = model ? rankUnder(model, other) : 0;
    return rank ? `neighbour ${rank}` : model ? `not among the nearest ${model.neighbors[0].length}` : "not shown above";
  }

  function render() {
    const car = queries[state.query];
    $("about").textContent = `${Word} ${cars[car].id}: ${properties.map((property, k) => `${property.label.toLowerCase()} ${value(car, k)}`).join(", ")}.`;
    table("a");
    table("b");
    detail();
    pairs.forEach((each, i) => { each.ariaPressed = String(isOpen(data.explained[i])); });
    $("view").dataset.shows = `${cars[car].id} ${state.models.a} ${state.models.b}`;
  }

  // Explained pairs: the car, the model under which the other is nearest, and what explains them.
  // Models with a map of the pair come first; null if the other is among the nearest under no model.
  function modelToOpen(pair) {
    const explained = Object.values(pair.maps).flat().map((each) => each.model);
    const ranks = models.map((model, i) => [!explained.includes(model.name), model.neighbors[pair.query].indexOf(pair.neighbor), i]);
    return ranks.filter(([, rank]) => rank >= 0).sort((a, b) => a[0] - b[0] || a[1] - b[1])[0]?.[2] ?? null;
  }
  const isOpen = (pair) => state.query === pair.query && state.open?.other === pair.neighbor;
  const pairs = data.explained.map((pair) => {
    const both = [queries[pair.query], pair.neighbor];
    const made = make("button", { type: "button" }, ...both.map((car) => make("img", { src: cars[car].address, alt: "", width: 40, height: 40 })),
      make("span", { textContent: both.map((car) => cars[car].id).join(" and ") }));
    made.addEventListener("click", () => {
      const open = !isOpen(pair);
      state.query = pair.query;
      state.models.a = modelToOpen(pair) ?? state.models.a;
      state.open = open ? { side: "a", other: pair.neighbor } : null;
      inputs[pair.query].checked = true;
      $("model-a").value = state.models.a;
      render();
      if (open) $("detail").scrollIntoView({ block: "nearest" });
    });
    return made;
  });
  $("pairs")?.append(...pairs);

  const inputs = queries.map((car, i) => {
    const input = make("input", { type: "radio", name: "explorer-query", checked: i === 0 });
    input.addEventListener("change", () => { state.query = i; state.open = null; render(); });
    $("queries").append(make("label", {}, input,
      make("img", { src: cars[car].address, alt: `${Word} ${cars[car].id}: ${value(car, 0)}`, width: 64, height: 64 })));
    return input;
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
  document.addEventListener("protocol", detail);
  $("view").hidden = false;
  render();
})();
