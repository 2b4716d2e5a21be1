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
  const names = models.map((each) => each.name), ids = data.images.map((each) => each.id);

  const other = models.findIndex((each) => each.group !== models[0].group); // of another group, where there is one
  view.add("image", ids[0], ids);
  view.add("a", names[0], names);
  view.add("b", names[other > 0 ? other : names.length - 1], names);
  const chosenImage = () => ids.indexOf(view.get("image"));
  const chosen = (letter) => Math.max(names.indexOf(view.get(letter)), 0);
  const protocol = () => data.protocols[view.get("protocol")];
  const shown = (value, digits = 3) => (value === null || value === undefined ? "unknown" : value.toFixed(digits).replace("-", "−"));

  // The place of a pair among all pairs (0, 1), (0, 2), ...
  function place(a, b) {
    const [i, j] = a < b ? [a, b] : [b, a];
    return i * models.length - (i * (i + 1)) / 2 + (j - i - 1);
  }
  const similarity = (what, a, b) => (a === b ? { correlation: 1, jsd: 0 }[what] : protocol()[what][chosenImage()][place(a, b)]);

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

  // A side x side canvas of numbers from 0 to 255 in the colours of a scale, with their opacities.
  function colored(values, scale, opacityOf) {
    const canvas = new OffscreenCanvas(side, side), image = new ImageData(side, side);
    values.forEach((value, k) => {
      image.data.set(scale.subarray(3 * value, 3 * value + 3), 4 * k);
      image.data[4 * k + 3] = opacityOf(value);
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

  function draw(canvas, ...layers) {
    const context = canvas.getContext("2d"), width = canvas.width;
    context.clearRect(0, 0, width, width);
    for (const layer of layers) context.drawImage(layer, 0, 0, width, width);
    line(context, width, data.images[chosenImage()].outline);
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
    tile.addEventListener("click", () => view.set({ b: model.name }));
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
    input.addEventListener("change", () => view.set({ image: image.id }));
    return label;
  });
  for (const letter of ["a", "b"]) {
    const select = $(`method-${letter}`);
    fillWithMethods(select, models);
    select.addEventListener("change", () => view.set({ [letter]: select.value }));
  }
  $("swap").addEventListener("click", () => view.set({ a: view.get("b"), b: view.get("a") }));

  function sort() {
    const agreement = protocol()?.agreement ?? [];
    const places = data.images.map((_, i) => i);
    if (order.value === "agreement") places.sort((a, b) => (agreement[a] ?? 2) - (agreement[b] ?? 2) || a - b);
    const focused = document.activeElement;
    $("images").append(...places.map((i) => thumbs[i]));
    if ($("images").contains(focused)) focused.focus();
    thumbs.forEach((thumb, i) => { thumb.querySelector("span").textContent = shown(agreement[i]); });
  }

  // --- what changes ---------------------------------------------------------------------------------------
  let latest = 0;
  async function render() {
    const now = (latest += 1), image = data.images[chosenImage()], found = protocol();
    thumbs[chosenImage()].firstChild.checked = true;
    for (const letter of ["a", "b"]) $(`method-${letter}`).value = names[chosen(letter)];
    $("about").textContent = found
      ? `Image ${image.id}, class ${image.label}: mean correlation over all pairs of trained methods ${shown(found.agreement[chosenImage()])} `
        + `(protocol ${view.get("protocol")}).`
      : "There are no maps by this protocol.";
    if (!found) return;
    const [base, values] = await Promise.all([picture(image.address), maps(found.maps[chosenImage()])]);
    if (now !== latest) return;
    const alpha = opacity.value / 100, overlays = values.map((each) => colored(each, colors[data.scale], (value) => alpha * value));
    tiles.forEach((tile, i) => {
      const others = models.map((_, j) => j).filter((j) => j !== i && models[j].trained).map((j) => similarity("correlation", i, j)).filter((r) => r !== null);
      const mean = others.length ? others.reduce((a, b) => a + b) / others.length : null;
      const role = i === chosen("a") ? "A" : i === chosen("b") ? "B" : "";
      draw(tile.firstChild, base, overlays[i]);
      tile.setAttribute("aria-pressed", Boolean(role));
      tile.dataset.role = role;
      tile.querySelector(".r").textContent = shown(mean);
    });
    compare(base, values, overlays, found);
    $("view").dataset.shows = `${image.id} ${view.get("protocol")} ${chosen("a")} ${chosen("b")}`;
  }

  function compare(base, values, overlays, found) {
    const [a, b] = [chosen("a"), chosen("b")], image = data.images[chosenImage()];
    const label = (id, text) => { $(id).setAttribute("aria-label", text); };
    draw($("image"), base);
    label("image", `Image ${image.id}`);
    for (const [id, i, letter] of [["a", a, "A"], ["b", b, "B"]]) {
      draw($(id), base, overlays[i]);
      label(id, `Saliency map of ${names[i]} over image ${image.id}`);
      $(id).closest("figure").querySelector("figcaption").textContent = `${letter}: ${names[i]}`;
    }
    // A minus B, from brown where B has more over white to purple where A has more.
    const apart = Array.from(values[a], (value, k) => Math.round((255 + value - values[b][k]) / 2));
    draw($("difference"), colored(apart, colors[data.difference], () => 255));
    label("difference", `Difference of the maps of ${names[a]} and ${names[b]}`);

    const r = similarity("correlation", a, b);
    $("correlation").textContent = `r = ${shown(r)}`;
    $("percentile").textContent = percentile(r, found);
    $("jsd").textContent = `Jensen-Shannon divergence ${shown(similarity("jsd", a, b))} (base ${found.base})`;
    bar(r, found.bounds);
  }

  // How many of the pairs of trained methods are less alike on this image.
  function percentile(r, found) {
    const others = found.correlation[chosenImage()].filter((other, k) => other !== null && pairs[k].every((i) => models[i].trained));
    if (r === null || !others.length) return "";
    const lower = others.filter((other) => other < r).length;
    return `more alike than ${Math.round((100 * lower) / others.length)}% of ${others.length} pairs of trained methods on this image`;
  }
  const pairs = models.flatMap((_, i) => models.slice(i + 1).map((__, k) => [i, i + 1 + k]));

  // Where r lies between the random-weights baseline and the noise ceiling, which are means over images.
  function bar(r, bounds) {
    $("place").hidden = !bounds || r === null;
    $("bounds").textContent = bounds ? `Baseline ${shown(bounds.low)}, ceiling ${shown(bounds.high)}: means over ${bounds.n} images.`
      + (bounds.two === null ? "" : ` Two random networks: ${shown(bounds.two)}.`) : "";
    if ($("place").hidden) return;
    const percent = (value) => `${Math.min(Math.max(100 * value, 0), 100)}%`;
    const [band, mark] = $("place").children;
    Object.assign(band.style, { left: percent(bounds.low), width: percent(bounds.high - bounds.low) });
    mark.style.left = percent(r);
  }

  // --- together ----------------------------------------------------------------------------------------------------
  opacity.addEventListener("input", () => { opacity.nextElementSibling.textContent = `${opacity.value}%`; render(); });
  outline?.addEventListener("change", render);
  order.addEventListener("change", sort);
  view.on(["protocol"], sort);
  view.on(["protocol", "image", "a", "b"], render);
  scale($("scale"), colors[data.scale]);
  scale($("difference-scale"), colors[data.difference]);
  $("view").hidden = false;
  sort();
  render();
})();
