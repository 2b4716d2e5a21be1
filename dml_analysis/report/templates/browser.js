// Saliency maps over their images, and two of them compared.
"use strict";
(() => {
  const element = document.getElementById("browser-data");
  if (!element) return;
  const data = JSON.parse(element.textContent);
  const $ = (id) => document.getElementById(`browser-${id}`);
  const { side, columns, models } = data;
  const colors = Object.fromEntries(Object.entries(data.colors).map(
    ([name, text]) => [name, Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))]));
  const outline = $("outline"), opacity = $("opacity"), order = $("order");
  const state = { image: 0, chosen: first() };

  function first() { // two models of different groups, where there are such
    const other = models.findIndex((each) => each.group !== models[0].group);
    return [0, other > 0 ? other : Math.min(1, models.length - 1)];
  }
  const protocol = () => data.protocols[document.documentElement.dataset.protocol];
  const shown = (value, digits) => (value === null || value === undefined ? "unknown" : value.toFixed(digits).replace("-", "−"));

  // The place of a pair among all pairs (0, 1), (0, 2), ...
  function place(a, b) {
    const [i, j] = a < b ? [a, b] : [b, a];
    return i * models.length - (i * (i + 1)) / 2 + (j - i - 1);
  }
  const similarity = (what, a, b) => (a === b ? { correlation: 1, jsd: 0 }[what] : protocol()[what][state.image][place(a, b)]);

  // Pictures are decoded when they are requested.
  const pictures = new Map();
  function picture(address) {
    if (!pictures.has(address)) {
      const image = new Image();
      image.src = address;
      pictures.set(address, image.decode().then(() => image));
    }
    return pictures.get(address);
  }

  // The maps of an image, each side x side numbers from 0 to 255.
  const sheets = new Map();
  function maps(address) {
    if (!sheets.has(address)) {
      sheets.set(address, picture(address).then((image) => {
        const canvas = new OffscreenCanvas(image.width, image.height);
        const context = canvas.getContext("2d", { willReadFrequently: true });
        context.drawImage(image, 0, 0);
        return models.map((_, i) => {
          const pixels = context.getImageData((i % columns) * side, Math.floor(i / columns) * side, side, side).data;
          return Uint8Array.from({ length: side * side }, (_, k) => pixels[4 * k]);
        });
      }));
    }
    return sheets.get(address);
  }

  // A side x side canvas of numbers from 0 to 255 in the colours of a scale.
  function colored(values, scale) {
    const canvas = new OffscreenCanvas(side, side), image = new ImageData(side, side);
    values.forEach((value, k) => {
      image.data.set(scale.subarray(3 * value, 3 * value + 3), 4 * k);
      image.data[4 * k + 3] = 255;
    });
    canvas.getContext("2d").putImageData(image, 0, 0);
    return canvas;
  }

  function line(context, width, path) {
    if (!path || (outline && !outline.checked)) return;
    context.save();
    context.scale(width / 224, width / 224);
    const outlinePath = new Path2D(path);
    for (const [color, thick] of [["#000", 3], ["#fff", 1.25]]) { // seen on dark and on light
      context.strokeStyle = color;
      context.lineWidth = (thick * 224) / width;
      context.stroke(outlinePath);
    }
    context.restore();
  }

  function draw(canvas, image, map, alpha) {
    const context = canvas.getContext("2d"), width = canvas.width;
    context.globalAlpha = 1;
    context.clearRect(0, 0, width, width);
    if (image) context.drawImage(image, 0, 0, width, width);
    context.globalAlpha = alpha;
    context.drawImage(map, 0, 0, width, width);
    context.globalAlpha = 1;
    line(context, width, data.images[state.image].outline);
  }

  function scale(canvas, table) {
    const image = new ImageData(256, 1);
    for (let k = 0; k < 256; k += 1) image.data.set([...table.subarray(3 * k, 3 * k + 3), 255], 4 * k);
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  // --- what stays -----------------------------------------------------------------------------------------
  const tiles = models.map((model, i) => {
    const tile = document.createElement("button");
    tile.type = "button";
    tile.className = "tile";
    tile.innerHTML = '<canvas width="224" height="224" aria-hidden="true"></canvas><span class="name"></span><span class="r"></span>';
    tile.querySelector(".name").textContent = model.name;
    tile.addEventListener("click", () => choose(i));
    return tile;
  });
  for (const group of new Set(models.map((each) => each.group))) {
    const block = document.createElement("div"), head = document.createElement("h3"), row = document.createElement("div");
    head.textContent = group;
    row.className = "row";
    row.append(...tiles.filter((_, i) => models[i].group === group));
    block.append(head, row);
    $("maps").append(block);
  }
  const thumbs = data.images.map((image, i) => {
    const label = document.createElement("label");
    label.innerHTML = '<input type="radio" name="browser-image"><img width="64" height="64"><span></span>';
    const [input, img] = label.children;
    img.src = image.address;
    img.alt = `Image ${image.id} of class ${image.label}`;
    input.checked = i === 0;
    input.addEventListener("change", () => { state.image = i; render(); });
    return label;
  });

  function choose(i) { // the last two that were chosen; once more takes a choice back
    state.chosen = state.chosen.includes(i) ? state.chosen.filter((each) => each !== i) : [...state.chosen, i].slice(-2);
    render();
  }

  function sort() {
    const agreement = protocol()?.agreement ?? [];
    const places = data.images.map((_, i) => i);
    if (order.value === "agreement") places.sort((a, b) => (agreement[a] ?? 2) - (agreement[b] ?? 2) || a - b);
    const focused = document.activeElement;
    $("images").append(...places.map((i) => thumbs[i]));
    if ($("images").contains(focused)) focused.focus();
    thumbs.forEach((thumb, i) => { thumb.querySelector("span").textContent = shown(agreement[i], 3); });
  }

  // --- what changes ---------------------------------------------------------------------------------------
  let latest = 0;
  async function render() {
    const now = (latest += 1), image = data.images[state.image], found = protocol();
    $("about").textContent = found
      ? `Image ${image.id}, class ${image.label}: mean correlation over all pairs of trained models ${shown(found.agreement[state.image], 3)} `
        + `(protocol ${document.documentElement.dataset.protocol}).`
      : "There are no maps by this protocol.";
    if (!found) return;
    const [base, values] = await Promise.all([picture(image.address), maps(found.maps[state.image])]);
    if (now !== latest) return;
    const alpha = opacity.value / 100, overlays = values.map((each) => colored(each, colors[data.scale]));
    tiles.forEach((tile, i) => {
      const others = models.map((_, j) => j).filter((j) => j !== i && models[j].trained).map((j) => similarity("correlation", i, j)).filter((r) => r !== null);
      const mean = others.length ? others.reduce((a, b) => a + b) / others.length : null;
      const role = ["A", "B"][state.chosen.indexOf(i)];
      draw(tile.firstChild, base, overlays[i], alpha);
      tile.setAttribute("aria-pressed", Boolean(role));
      if (role) tile.dataset.role = role; else delete tile.dataset.role;
      tile.querySelector(".r").textContent = shown(mean, 3);
    });
    compare(base, values, overlays, alpha, found);
    $("view").dataset.shows = `${image.id} ${document.documentElement.dataset.protocol} ${state.chosen.join(" ")}`;
  }

  function compare(base, values, overlays, alpha, found) {
    const [a, b] = state.chosen, complete = b !== undefined, names = state.chosen.map((i) => models[i].name);
    document.querySelector(".panels").hidden = !complete;
    $("pair").textContent = complete ? `${names[0]} and ${names[1]}` : `Choose ${2 - names.length === 2 ? "two models" : "a second model"}`;
    $("numbers").innerHTML = "";
    if (!complete) return;
    for (const [what, label] of [["correlation", "r on this image"], ["jsd", `JSD on this image, base ${found.base}`]]) {
      const block = document.createElement("div"), term = document.createElement("dt"), value = document.createElement("dd");
      term.textContent = label;
      value.textContent = shown(similarity(what, a, b), what === "jsd" ? 4 : 3);
      value.id = `browser-${what}`;
      block.append(term, value);
      $("numbers").append(block);
    }
    for (const [id, i, letter] of [["a", a, "A"], ["b", b, "B"]]) {
      draw($(id), base, overlays[i], alpha);
      $(id).setAttribute("aria-label", `Saliency map of ${models[i].name} over image ${data.images[state.image].id}`);
      $(id).nextElementSibling.textContent = `${letter}: ${models[i].name}`;
    }
    difference(values[a], values[b], names);
  }

  // A minus B, from brown where B has more over white to purple where A has more, up to the largest difference.
  function difference(a, b, names) {
    const apart = Array.from(a, (value, k) => value - b[k]);
    const largest = apart.reduce((maximum, each) => Math.max(maximum, Math.abs(each)), 0);
    const places = apart.map((each) => Math.round(127.5 + (127.5 * each) / (largest || 1)));
    draw($("difference"), null, colored(places, colors[data.difference]), 1);
    $("difference").setAttribute("aria-label", `Difference of the maps of ${names[0]} and ${names[1]}`);
    $("difference").nextElementSibling.textContent = `Difference, A minus B; largest: ${(largest / 255).toFixed(2)}`;
    $("less").textContent = "B has more";
    $("more").textContent = "A has more";
  }

  // --- together ----------------------------------------------------------------------------------------------------
  opacity.addEventListener("input", () => { opacity.nextElementSibling.textContent = `${opacity.value}%`; render(); });
  outline?.addEventListener("change", render);
  order.addEventListener("change", sort);
  document.addEventListener("protocol", () => { sort(); render(); });
  scale($("scale"), colors[data.scale]);
  scale($("difference-scale"), colors[data.difference]);
  $("view").hidden = false;
  sort();
  render();
})();
