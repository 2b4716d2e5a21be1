// The page: what is shown, which is also in the address, light or dark, copying and enlarging.
"use strict";
const root = document.documentElement;

// What is shown: names and values. The address is #place?name=value&..., without values that are as at first.
const view = (() => {
  const fields = new Map(), listeners = [];
  const parts = () => { const [place, query = ""] = location.hash.slice(1).split("?"); return [decodeURIComponent(place), new URLSearchParams(query)]; };
  let [place, link] = parts();
  const allows = (field, value) => !field.allowed || field.allowed.includes(value);

  // Adds what can be chosen, or more values of it; a link may choose it. allowed: values, or none for any text.
  function add(name, initial, allowed) {
    const field = fields.get(name) ?? { initial, allowed: allowed && [], value: initial }, given = link.get(name);
    field.allowed?.push(...allowed);
    if (given !== null && allows(field, given)) field.value = given;
    fields.set(name, field);
  }
  const get = (name) => fields.get(name)?.value;

  function write() {
    const query = new URLSearchParams([...fields].filter(([, { value, initial }]) => value !== initial).map(([name, { value }]) => [name, value]));
    const hash = `#${encodeURIComponent(place)}${query.size ? `?${query}` : ""}`;
    if (hash !== (location.hash || "#")) history.replaceState({ own: true }, "", hash);
  }

  function set(changes) {
    const names = Object.keys(changes).filter((name) => fields.has(name) && get(name) !== changes[name] && allows(fields.get(name), changes[name]));
    if (!names.length) return;
    keepingPlace(names.includes("protocol"), () => {
      for (const name of names) fields.get(name).value = changes[name];
      for (const [of, listener] of listeners) if (of.some((name) => names.includes(name))) listener();
    });
    write();
  }

  // What the reader sees stays where it is in the window when the protocol changes.
  function keepingPlace(needed, change) {
    if (!needed) return change();
    const before = get("protocol"), seen = document.elementFromPoint(innerWidth / 2, innerHeight / 3);
    const begun = [...document.querySelectorAll(`[id$="-${before}"]`)].filter((each) => {
      const { top, bottom } = each.getBoundingClientRect();
      return each.offsetParent && top < innerHeight / 3 && bottom > 100;
    });
    const mark = begun.at(-1) ?? (seen?.closest("main") && seen);
    const top = mark?.getBoundingClientRect().top;
    change();
    const same = begun.length ? document.getElementById(mark.id.slice(0, -before.length) + get("protocol")) : mark;
    if (same) scrollBy({ top: same.getBoundingClientRect().top - top, behavior: "instant" });
  }

  // Shows an element by its id: by its protocol, and in what is folded.
  function go(id) {
    const element = document.getElementById(id);
    if (!element) return;
    const protocol = element.closest("[data-of]")?.dataset.of;
    if (protocol) set({ protocol });
    const folded = element.closest("details");
    if (folded) folded.open = true;
    element.scrollIntoView();
  }

  addEventListener("hashchange", () => {
    [place, link] = parts();
    const isBack = Boolean(history.state?.own); // the reader came back: what was chosen since stays
    if (link.size && !isBack) set(Object.fromEntries([...fields].map(([name, { initial }]) => [name, link.get(name) ?? initial])));
    write();
    if (!isBack) go(place);
  });
  addEventListener("load", () => { if (place) go(place); write(); });
  return { add, get, set, on: (names, listener) => listeners.push([names, listener]) };
})();

// Fills a list with methods, by their groups.
function fillWithMethods(select, methods) {
  for (const group of new Set(methods.map((each) => each.group))) {
    const some = Object.assign(document.createElement("optgroup"), { label: group });
    some.append(...methods.filter((each) => each.group === group).map((each) => new Option(each.name, each.name)));
    select.append(some);
  }
}

(() => {
  // --- protocol and theme ------------------------------------------------------------------------------------------
  const choices = (name) => [...document.querySelectorAll(`input[name="${name}"]`)];
  const protocols = choices("protocol");
  function showProtocol() {
    root.dataset.protocol = view.get("protocol");
    for (const each of protocols) each.checked = each.value === view.get("protocol");
  }
  view.add("protocol", root.dataset.protocol, protocols.length ? protocols.map((each) => each.value) : [root.dataset.protocol]);
  view.on(["protocol"], showProtocol);
  showProtocol();
  for (const each of protocols) each.addEventListener("change", () => view.set({ protocol: each.value }));

  for (const each of choices("theme")) {
    try { each.checked = each.value === (localStorage.getItem("theme") ?? "auto"); } catch { /* a file may not store anything */ }
    if (each.checked) root.dataset.theme = each.value;
    each.addEventListener("change", () => {
      root.dataset.theme = each.value;
      try { localStorage.setItem("theme", each.value); } catch { /* as above */ }
    });
  }

  // --- sections in the bar -----------------------------------------------------------------------------------------
  const links = new Map([...document.querySelectorAll(".bar nav a")].map((link) => [link.hash.slice(1), link]));
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) links.get(target.id)?.toggleAttribute("aria-current", isIntersecting);
    const [current] = document.querySelectorAll(".bar a[aria-current]");
    const nav = document.querySelector(".bar nav");
    if (current) nav.scrollTo({ left: current.offsetLeft - nav.offsetLeft - 40, behavior: "instant" });
  }, { rootMargin: "-30% 0px -69% 0px" });
  for (const section of document.querySelectorAll("section.part")) observer.observe(section);

  // --- copying -----------------------------------------------------------------------------------------------------
  async function copy(button) {
    const before = button.textContent;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = "Copied";
    } catch {
      button.textContent = "The browser does not allow copying";
    }
    document.getElementById("said").textContent = button.textContent;
    setTimeout(() => { button.textContent = before; }, 1500);
  }

  // --- enlarging ---------------------------------------------------------------------------------------------------
  const dialog = document.getElementById("enlarged"), large = dialog.querySelector("img");
  function enlarge(button) {
    const shown = button.querySelector("img, canvas");
    large.src = shown.src ?? shown.toDataURL();
    large.alt = shown.alt ?? shown.getAttribute("aria-label") ?? "";
    large.classList.toggle("small", !shown.src || shown.naturalWidth < 600);
    dialog.showModal();
  }
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-enlarge]");
    if (button?.dataset.copy) copy(button);
    else if (button) enlarge(button);
  });

  addEventListener("beforeprint", () => {
    for (const each of document.querySelectorAll("details")) each.open = true;
    for (const each of document.querySelectorAll("img[loading]")) each.loading = "eager";
  });
})();
