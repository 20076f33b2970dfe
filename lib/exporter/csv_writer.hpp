#pragma once

#include <string>
#include <vector>

#include "exporter/output_file.hpp"
#include "flow/record.hpp"
#include "flow/routing.hpp"

namespace pollflow::exporter {

// Writes flow records as CSV (docs/reference/csv.md) to a file, or to standard output for "-".
class CsvWriter {
 public:
  // Creates or empties the file and begins it with the heading; throws Failure when it cannot.
  explicit CsvWriter(const std::string& path);

  // Appends one record. Answers what was lost just now: nothing, or what was waiting in the buffer
  // when the file took no more. After the first such loss nothing is written any more.
  flow::RecordTally write(const flow::Record& record, const flow::Routing& routing);
  // Writes out what waits in the buffer; answers as write() does.
  flow::RecordTally flush();

  [[nodiscard]] const std::string& path() const noexcept { return file_.path(); }
  [[nodiscard]] const flow::RecordTally& written() const noexcept { return written_; }
  [[nodiscard]] const flow::RecordTally& failed() const noexcept { return failed_; }
  // errno of the write that failed, 0 when none did.
  [[nodiscard]] int last_errno() const noexcept { return errno_; }

 private:
  struct Line {
    size_t end;  // in buffer_
    flow::Tally carried;
  };

  void append_row(const flow::Record& record, const flow::Routing& routing);

  OutputFile file_;
  int errno_ = 0;
  std::string buffer_;
  std::vector<Line> lines_;  // that buffer_ holds
  flow::RecordTally written_;
  flow::RecordTally failed_;
};

}  // namespace pollflow::exporter
