"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("scripted");
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Filter: words and one kind of trouble. Agencies without a match disappear with their heading.
  const box = document.getElementById("filter");
  if (box) {
    const lanes = all(".lane"), chips = all(".chips button"), shown = document.getElementById("shown");
    let flag = "";
    const apply = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      for (const lane of lanes) {
        const fits = words.every((word) => lane.dataset.words.includes(word)) &&
          (!flag || lane.dataset.flags.split(" ").includes(flag));
        lane.hidden = !fits;
        count += fits;
      }
      for (const agency of all(".agency")) agency.hidden = !agency.querySelector(".lane:not([hidden])");
      document.querySelector(".none").hidden = count > 0;
      shown.textContent = count === lanes.length ? "" : `${count} of ${lanes.length} shown`;
    };
    box.addEventListener("input", apply);
    for (const chip of chips) {
      chip.addEventListener("click", () => {
        flag = chip.dataset.flag;
        for (const other of chips) other.setAttribute("aria-pressed", String(other === chip));
        apply();
      });
    }
    // Arrow keys go from lane to lane.
    document.querySelector(".lanes").addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const lane = event.target.closest("summary")?.parentElement;
      if (!step || !lane) return;
      const visible = lanes.filter((other) => !other.hidden);
      const next = visible[visible.indexOf(lane) + step];
      if (next) {
        event.preventDefault();
        next.firstElementChild.focus();
      }
    });
    if (box.value) apply();
  }

  // Tooltips at once instead of the browser's slow ones: a title moves to the node when the pointer first meets it.
  const tip = document.getElementById("tip");
  const texts = new WeakMap();
  const textOf = (node) => {
    const title = node.querySelector(":scope > title");
    if (title) {
      texts.set(node, title.textContent);
      title.remove();
    }
    return texts.get(node);
  };
  document.addEventListener("pointermove", (event) => {
    const node = event.target.closest?.(".tracks g > *");
    const text = node && textOf(node);
    tip.hidden = !text;
    if (!text) return;
    tip.textContent = text;
    const size = tip.getBoundingClientRect();
    tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - size.width - 8))}px`;
    const below = event.clientY + 16;
    tip.style.top = `${below + size.height > innerHeight ? event.clientY - size.height - 10 : below}px`;
  });
  document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

  // Money charts: the figures of the day under the pointer.
  for (const chart of all(".chart")) {
    const data = JSON.parse(chart.querySelector("script").textContent);
    const plot = chart.querySelector(".plot"), cursor = chart.querySelector(".cursor");
    const readout = chart.querySelector(".readout");
    const show = (day) => {
      const [, invoiced, collected] = data.days.findLast(([from]) => from <= day);
      const on = new Date(Date.parse(`${data.first}T00:00:00Z`) + day * 86400000);
      readout.textContent = `${on.toISOString().slice(0, 10)}: ${invoiced} invoiced, ${collected} collected`;
    };
    plot.addEventListener("pointermove", (event) => {
      const area = plot.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - area.left) / area.width));
      cursor.hidden = false;
      cursor.style.left = `${share * 100}%`;
      show(Math.min(data.count - 1, Math.floor(share * data.count)));
    });
    const rest = () => { cursor.hidden = true; show(data.count - 1); };
    plot.addEventListener("pointerleave", rest);
    rest();
  }
})();
