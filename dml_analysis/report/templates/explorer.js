// The nearest neighbours of an image under two models, and which properties they share with it.
"use strict";
(() => {
  const element = document.getElementById("explorer-data");
  if (!element) return;
  const data = JSON.parse(element.textContent);
  const $ = (id) => document.getElementById(`explorer-${id}`);
  const { cars, queries, properties, models, chance } = data;
  const word = data.word, Word = word[0].toUpperCase() + word.slice(1); // what an image is called
  const names = models.map((each) => each.name), ids = queries.map((each) => cars[each].id);
  view.add("a", names[0], names);
  view.add("b", names.at(-1), names);
  view.add("car", ids[0], ids);
  view.add("wrong", "", ["", "only"]);
  let open = null; // the neighbour whose details are shown, and its side

  const query = () => ids.indexOf(view.get("car"));
  const modelOf = (side) => models[Math.max(names.indexOf(view.get(side)), 0)];

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
  const rankUnder = (model, other) => model.neighbors[query()].indexOf(other) + 1; // 0: not among the nearest
  const isWrong = (car, other) => !same(car, other, data.wrong);

  function table(side) {
    const model = modelOf(side), car = queries[query()];
    const neighbors = model.neighbors[query()].filter((other) => !view.get("wrong") || isWrong(car, other));
    const numbers = ["Here", "All", "Chance"].map((textContent) => make("th", { scope: "col", className: "share", textContent }));
    const heads = neighbors.map((other) => make("th", { scope: "col" }, button(side, model, car, other)));
    const rows = properties.map((property, k) => make("tr", {},
      make("th", { scope: "row" }, property.label, make("small", { textContent: value(car, k) })),
      ...[neighbors.filter((other) => same(car, other, k)).length / neighbors.length, model.shares[k], chance[query()][k]]
        .map((share) => make("td", { className: "share", textContent: Number.isNaN(share) ? "–" : percent(share) })),
      ...neighbors.map((other) => (same(car, other, k) ? cell("●", "shared", "yes") : cell("·", "not", "")))));
    const foot = make("tr", {}, make("th", { scope: "row", textContent: `Shared, of ${properties.length}` }),
      ...numbers.map(() => make("td", { className: "share" })), ...neighbors.map((other) => make("td", { textContent: shared(car, other) })));
    const opened = open?.side === side ? [make("tr", { className: "opened" }, make("td", { colSpan: 4 + neighbors.length }, detail(model)))] : [];
    const none = neighbors.length ? "" : `; none of the ${model.neighbors[query()].length} nearest is wrong`;
    $(side).replaceChildren(
      make("caption", { textContent: `${model.name} (${model.group}), by ${model.distance}; nearest first${none}` }),
      make("thead", {}, make("tr", {}, make("td", { textContent: "" }), ...numbers, ...heads), ...opened),
      make("tbody", {}, ...rows), make("tfoot", {}, foot));
  }

  function button(side, model, car, other) {
    const why = explanation(query(), other), pressed = open?.side === side && open.other === other;
    const alt = `Neighbour ${rankUnder(model, other)}: ${word} ${cars[other].id}, shares ${shared(car, other)} of ${properties.length} properties`;
    const made = make("button", { type: "button", ariaPressed: String(pressed) },
      make("img", { src: cars[other].address, alt: alt + (why ? "; explained" : ""), width: 96, height: 96 }));
    if (why) made.dataset.explained = "";
    made.addEventListener("click", () => {
      open = pressed ? null : { side, other };
      render();
      [...$(side).querySelectorAll("thead button")].find((each) => each.firstChild.src === cars[other].address).focus();
    });
    return made;
  }

  function picture(car, text) {
    return make("figure", {}, make("img", { src: cars[car].address, alt: `${Word} ${cars[car].id}`, width: 96, height: 96 }),
      make("figcaption", { textContent: text }));
  }

  function detail(model) {
    const car = queries[query()], { other } = open, why = explanation(query(), other);
    const items = properties.map((property, k) => (same(car, other, k)
      ? make("li", { textContent: `${property.label}: both ${value(car, k)}` })
      : make("li", { className: "no", textContent: `${property.label}: ${value(car, k)}, neighbour ${value(other, k)}` })));
    const under = rankUnder(model, other) ? `Neighbour ${cars[other].id} under ${model.name}` : `${Word} ${cars[other].id}`;
    return make("div", { className: "detail" }, picture(car, `${Word} ${cars[car].id}`), picture(other, under), make("ul", {}, ...items),
      ...(why ? [explained(why)] : []));
  }

  // The maps of an explained pair under all models that have them, by the selected protocol or else another one.
  function explained(why) {
    const chosen = view.get("protocol");
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
    const car = queries[query()], wrong = $("wrong");
    inputs[query()].checked = true;
    if (wrong) wrong.checked = Boolean(view.get("wrong"));
    $("about").textContent = `${Word} ${cars[car].id}: ${properties.map((property, k) => `${property.label.toLowerCase()} ${value(car, k)}`).join(", ")}.`;
    for (const side of ["a", "b"]) {
      $(`method-${side}`).value = modelOf(side).name;
      table(side);
    }
    pairs.forEach((each, i) => { each.ariaPressed = String(isOpen(data.explained[i])); });
    $("view").dataset.shows = `${cars[car].id} ${models.indexOf(modelOf("a"))} ${models.indexOf(modelOf("b"))}`;
  }

  // Explained pairs: the car, the model under which the other is nearest, and what explains them.
  // Models with a map of the pair come first; null if the other is among the nearest under no model.
  function modelToOpen(pair) {
    const explained = Object.values(pair.maps).flat().map((each) => each.model);
    const ranks = models.map((model, i) => [!explained.includes(model.name), model.neighbors[pair.query].indexOf(pair.neighbor), i]);
    return ranks.filter(([, rank]) => rank >= 0).sort((a, b) => a[0] - b[0] || a[1] - b[1])[0]?.[2] ?? null;
  }
  const isOpen = (pair) => query() === pair.query && open?.other === pair.neighbor;
  const pairs = data.explained.map((pair) => {
    const both = [queries[pair.query], pair.neighbor];
    const made = make("button", { type: "button" }, ...both.map((car) => make("img", { src: cars[car].address, alt: "", width: 40, height: 40 })),
      make("span", { textContent: both.map((car) => cars[car].id).join(" and ") }));
    made.addEventListener("click", () => {
      const opens = !isOpen(pair), model = modelToOpen(pair);
      view.set({ car: ids[pair.query], ...(model === null ? {} : { a: names[model] }), wrong: "" });
      open = opens ? { side: "a", other: pair.neighbor } : null;
      render();
      if (opens) $("a").scrollIntoView({ block: "nearest" });
    });
    return made;
  });
  $("pairs")?.append(...pairs);

  const inputs = queries.map((car, i) => {
    const input = make("input", { type: "radio", name: "explorer-query" });
    input.addEventListener("change", () => view.set({ car: ids[i] }));
    $("queries").append(make("label", {}, input,
      make("img", { src: cars[car].address, alt: `${Word} ${cars[car].id}: ${value(car, 0)}`, width: 64, height: 64 })));
    return input;
  });
  for (const side of ["a", "b"]) {
    const select = $(`method-${side}`);
    fillWithMethods(select, models);
    select.addEventListener("change", () => view.set({ [side]: select.value }));
  }
  $("wrong")?.addEventListener("change", (event) => view.set({ wrong: event.target.checked ? "only" : "" }));
  view.on(["car", "a", "b", "wrong"], () => { open = null; render(); });
  view.on(["protocol"], render);
  $("view").hidden = false;
  render();
})();
