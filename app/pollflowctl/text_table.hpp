#pragma once

#include <string>
#include <vector>

namespace pollflow::ctl {

// Columns as wide as what is in them, numbers to the right. What came from outside is made safe for
// a terminal.
class TextTable {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::right;
  };

  explicit TextTable(std::vector<Column> columns);

  // One cell for each column.
  void row(std::vector<std::string> cells);

  // Lines, each indented by two; empty without rows.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pollflow::ctl
