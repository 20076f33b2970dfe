#include "text_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "streams.hpp"

namespace pollflow::ctl {

TextTable::TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {
  std::vector<std::string> titles;
  for (const Column& column : columns_)
    titles.push_back(column.title);
  rows_.push_back(std::move(titles));
}

void TextTable::row(std::vector<std::string> cells) {
  for (std::string& cell : cells)
    cell = app::one_line(cell);
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const {
  if (rows_.size() == 1) return {};
  std::vector<size_t> widths(columns_.size());
  for (const auto& cells : rows_) {
    for (size_t i = 0; i < cells.size(); ++i)
      widths[i] = std::max(widths[i], cells[i].size());
  }
  std::string text;
  for (const auto& cells : rows_) {
    std::string line;
    for (size_t i = 0; i < cells.size(); ++i) {
      line += columns_[i].align == Align::left ? fmt::format("  {:<{}}", cells[i], widths[i])
                                               : fmt::format("  {:>{}}", cells[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace pollflow::ctl
