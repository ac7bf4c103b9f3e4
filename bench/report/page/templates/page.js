"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];

  // Leaderboard: filter and sort ------------------------------------------------------------------
  const body = document.querySelector("#board tbody");
  if (body) leaderboard();

  function leaderboard() {
    const rows = all("tr", body);
    const filter = document.querySelector("#filter");
    const column = document.querySelector("#column");

    function sift() {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = `${row.dataset.label} ${row.dataset.column}`.toLowerCase();
        const kept = (!column.value || row.dataset.column === column.value) && words.every((word) => text.includes(word));
        row.hidden = !kept;
        shown += kept;
      }
      document.querySelector("#count").textContent = `${shown} of ${rows.length} rows`;
    }
    filter.addEventListener("input", sift);
    column.addEventListener("change", sift);
    column.value = column.dataset.first ?? ""; // by script, because without one all rows are shown
    sift();

    all("#board thead th[aria-sort]").forEach((head, place, heads) => {
      head.querySelector("button").addEventListener("click", () => {
        const number = head.classList.contains("number");
        const before = head.getAttribute("aria-sort");
        const down = before === "none" ? head.dataset.down === "1" : before === "ascending";
        heads.forEach((other) => other.setAttribute("aria-sort", "none"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[place].dataset.value;
        const empty = (row) => value(row) === "";
        rows.sort((a, b) => {
          if (empty(a) || empty(b)) return empty(a) - empty(b); // what was not measured comes last, either way round
          const order = number ? value(a) - value(b) : value(a).localeCompare(value(b), "en", { numeric: true });
          return down ? -order : order;
        });
        body.append(...rows);
      });
    });
  }

  // Fade out at the right what is wider than the screen --------------------------------------------
  function fading(box) {
    const mark = () => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 4);
    box.addEventListener("scroll", mark);
    addEventListener("resize", mark);
    mark();
  }
  all(".scroll").forEach(fading);

  // Copy ------------------------------------------------------------------------------------------
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code); // no clipboard for this page: the reader copies what is selected
      button.textContent = "selected";
    }
    setTimeout(() => (button.textContent = "copy"), 1500);
  });

  // Theme -----------------------------------------------------------------------------------------
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  try {
    const kept = localStorage.getItem("lt-bench-theme");
    if (kept) root.dataset.theme = kept;
  } catch {} // storage may be refused
  document.querySelector("#theme").addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("lt-bench-theme", root.dataset.theme);
    } catch {}
    drawn.forEach(draw);
  });
  system.addEventListener("change", () => drawn.forEach(draw));

  // Charts: each panel is drawn when it comes near the screen --------------------------------------
  const drawn = new Set();
  const figures = {};
  const hidden = {}; // chart → entries of its legend that are switched off

  const narrow = matchMedia("(hover: none), (max-width: 600px)");

  // Black becomes the text colour of the page; the other colours can be distinguished on light and dark pages alike.
  function inked(value, ink) {
    if (typeof value === "string") return /^#000000([0-9a-f]{2})?$/i.test(value) ? ink + value.slice(7) : value;
    if (Array.isArray(value)) return value.map((item) => inked(item, ink));
    if (value && typeof value === "object") return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, inked(v, ink)]));
    return value;
  }

  const ruler = document.createElement("canvas").getContext("2d");
  const font = "system-ui, sans-serif";
  const breaks = (text) => text.split("<br>").length - 1;

  // The text in as many lines as it needs in so many pixels; it is broken after a space, a comma, _ or =, and before a bracket.
  function broken(text, room, size) {
    ruler.font = `${size}px ${font}`;
    const long = (line) => ruler.measureText(line).width > room;
    return text.split("<br>").flatMap((whole) => {
      if (!long(whole)) return [whole];
      const lines = [""];
      for (const piece of whole.replace(/[ ,_=]|.(?=[[(])/g, "$&\n").split("\n")) {
        if (lines.at(-1) && long((lines.at(-1) + piece).trimEnd())) lines.push("");
        lines[lines.length - 1] += piece;
      }
      return lines;
    }).join("<br>");
  }

  // The layout with its title and the names of its rows and columns broken for a panel of this width. All titles of a chart get
  // the room of the longest, so that neighbours stay aligned.
  function fitted(layout, titles, width) {
    const title = (text) => broken(text, width - 28, layout.title.font.size); // 14 pixels are left free on both sides
    const more = 18 * Math.max(...titles.map((text) => breaks(title(text))));
    const named = (axis, share) =>
      axis.ticktext ? { ...axis, ticktext: axis.ticktext.map((name) => broken(name, share * width, 12)) } : axis;
    const yaxis = named(layout.yaxis, layout.meta?.wide ? 0.22 : 0.38);
    const rows = layout.yaxis.ticktext ?? [];
    const lines = Math.max(0, ...(yaxis.ticktext ?? []).map(breaks)) - Math.max(0, ...rows.map(breaks));
    return {
      ...layout,
      title: { ...layout.title, text: title(layout.title.text) },
      height: layout.height + more + 12 * lines * rows.length, // of 16 pixels a line, a row has some to spare
      margin: { ...layout.margin, t: layout.margin.t + more },
      xaxis: named(layout.xaxis, 0.2),
      yaxis,
    };
  }

  function draw(panel) {
    const kind = panel.dataset.chart;
    figures[kind] ??= JSON.parse(document.getElementById(`data-${kind}`).textContent);
    const css = getComputedStyle(root);
    const [ink, line, paper] = ["--ink", "--line", "--paper"].map((name) => css.getPropertyValue(name).trim());
    const { data, layout } = figures[kind][panel.dataset.panel];
    const titles = figures[kind].map((figure) => figure.layout.title.text);
    const off = (hidden[kind] ??= new Set());
    const traces = data.map((trace) => ({ ...inked(trace, ink), ...(dark() && trace.meta?.dark), visible: !off.has(trace.legendgroup) }));
    const axis = { gridcolor: line, linecolor: line, tickcolor: line };
    let box = panel.firstElementChild;
    if (!box) {
      box = panel.appendChild(document.createElement("div"));
      if (layout.meta?.wide) panel.classList.add("wide");
      panel.style.minHeight = `${Math.min(380, layout.height)}px`; // pictures are lower than the room kept for a chart
    }
    const sized = fitted(layout, titles, box.clientWidth);
    const look = {
      ...sized,
      uirevision: "kept", // a redraw keeps what the reader has zoomed to
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: font, size: 12 },
      hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink } },
      xaxis: { ...axis, ...sized.xaxis },
      yaxis: { ...axis, ...sized.yaxis },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: ink },
    };
    const tools = { responsive: true, displaylogo: false, modeBarButtons: [["toImage", "zoom2d", "resetScale2d"]] };
    if (narrow.matches) tools.displayModeBar = false; // the tools would cover the title
    drawn.add(panel);
    Plotly.react(box, traces, look, tools).then(() => {
      if (!panel.dataset.drawn && panel.classList.contains("wide")) fading(panel);
      panel.dataset.drawn = "1";
    });
  }

  if (typeof Plotly !== "undefined") {
    const panels = all(".panel");
    const near = new IntersectionObserver(
      (entries) =>
        entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
          near.unobserve(entry.target);
          draw(entry.target);
        }),
      { rootMargin: "400px 0px" },
    );
    panels.forEach((panel) => near.observe(panel));
    let width = innerWidth;
    let waiting;
    addEventListener("resize", () => {
      if (innerWidth === width) return; // a phone's address bar came or went
      width = innerWidth;
      clearTimeout(waiting);
      waiting = setTimeout(() => drawn.forEach(draw), 200); // names are broken anew
    });
    addEventListener("beforeprint", () => panels.filter((panel) => !drawn.has(panel)).forEach(draw));
  }

  all(".legend").forEach((legend) => {
    const section = legend.closest("section");
    const buttons = all("button", legend);
    const off = (hidden[section.id] ??= new Set());
    const show = () => {
      buttons.forEach((button) => button.setAttribute("aria-pressed", String(!off.has(button.dataset.key))));
      all(".panel", section).filter((panel) => drawn.has(panel)).forEach(draw);
    };
    buttons.forEach((button) => {
      button.addEventListener("click", () => {
        if (!off.delete(button.dataset.key)) off.add(button.dataset.key);
        show();
      });
      button.addEventListener("dblclick", () => {
        const others = buttons.map((other) => other.dataset.key).filter((key) => key !== button.dataset.key);
        const alone = others.every((key) => off.has(key)) && !off.has(button.dataset.key);
        off.clear();
        if (!alone) others.forEach((key) => off.add(key));
        show();
      });
    });
  });
})();
