#pragma once

#include <string>
#include <string_view>

namespace pollflow::exporter {

// A file that results are written to, "-" being standard output.
class OutputFile {
 public:
  // Creates or empties it; throws Failure, naming `option`, when it cannot.
  OutputFile(const std::string& path, std::string_view option);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  // Writes all of `text`; returns 0, or the errno of the write that failed.
  int write(std::string_view text) const noexcept;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  int file_;
};

}  // namespace pollflow::exporter
