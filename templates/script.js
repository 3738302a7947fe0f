"use strict";
(function () {
  // Tables of counts: click a heading to sort. The order of the file comes back on the third click.
  document.querySelectorAll("table[data-sortable]").forEach(function (table) {
    var body = table.tBodies[0];
    var original = Array.prototype.slice.call(body.rows);
    if (original.length < 2) { return; }
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    function value(row, column) {
      var text = row.cells[column].textContent.trim();
      var number = parseFloat(text.replace("−", "-").replace("+", ""));
      return heads[column].classList.contains("num") ? (isNaN(number) ? null : number) : text;
    }
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      while (head.firstChild) { button.appendChild(head.firstChild); }
      head.appendChild(button);
      button.addEventListener("click", function () {
        var number = head.classList.contains("num");
        var first = number && column > 0 ? "descending" : "ascending";
        var second = first === "ascending" ? "descending" : "ascending";
        var now = head.getAttribute("aria-sort");
        var next = now === first ? second : now === second ? "" : first;
        heads.forEach(function (other) { other.removeAttribute("aria-sort"); });
        var rows = original.slice();
        if (next) {
          head.setAttribute("aria-sort", next);
          var sign = next === "ascending" ? 1 : -1;
          rows.sort(function (left, right) {
            var a = value(left, column), b = value(right, column);
            if (a === null || b === null) { return (a === null) - (b === null); }
            return sign * (number ? a - b : a.localeCompare(b, document.documentElement.lang));
          });
        }
        rows.forEach(function (row) { body.appendChild(row); });
      });
    });
  });

  // Schools of a region: search, filter by verdict, sort.
  var tools = document.getElementById("tools");
  if (tools) {
    var list = document.getElementById("list");
    var schools = Array.prototype.slice.call(list.children);
    var search = document.getElementById("search");
    var sort = document.getElementById("sort");
    var chips = Array.prototype.slice.call(tools.querySelectorAll("[data-filter]"));
    var wanted = "";
    var apply = function () {
      var words = search.value.toLowerCase().split(/\s+/);
      var shown = 0;
      schools.forEach(function (school) {
        var fits = (!wanted || school.dataset.standing === wanted) &&
          words.every(function (word) { return school.dataset.search.indexOf(word) !== -1; });
        school.hidden = !fits;
        shown += fits ? 1 : 0;
      });
      document.getElementById("shown").textContent = shown;
      document.getElementById("nothing").hidden = shown !== 0;
    };
    var order = function () {
      var key = sort.value;
      schools.slice().sort(function (left, right) {
        var byName = key === "name" && left.dataset.name.localeCompare(right.dataset.name, document.documentElement.lang);
        var byUrgency = key === "urgency" && left.dataset.urgency - right.dataset.urgency;
        return byName || byUrgency || left.dataset.number - right.dataset.number;
      }).forEach(function (school) { list.appendChild(school); });
    };
    chips.forEach(function (chip) {
      chip.addEventListener("click", function () {
        wanted = chip.dataset.filter;
        chips.forEach(function (other) { other.setAttribute("aria-pressed", String(other === chip)); });
        apply();
      });
    });
    search.addEventListener("input", apply);
    sort.addEventListener("change", order);
    tools.addEventListener("submit", function (event) { event.preventDefault(); });
    tools.hidden = false;
    apply();
    order();
  }

  // On paper nobody can open a fold: what to change is printed; evidence and long lists are only if they were open.
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll(".remedy:not([open]), .group:not(.long, [open])").forEach(function (fold) {
      fold.open = true;
      fold.dataset.printed = "";
    });
  });
  window.addEventListener("afterprint", function () {
    document.querySelectorAll("details[data-printed]").forEach(function (fold) {
      fold.open = false;
      delete fold.dataset.printed;
    });
  });
})();
