// Texts that scripts read.
#include "libsync/options/show.h"

#include <sstream>

using namespace ocsync::sync;

TEST_CASE("version: first line and sections are where scripts look for them") {
  const std::string text = version_text();
  CHECK(text.starts_with("rsync  version 3.5.0  protocol version 32\n"));
  CHECK(text.find("ocsync") != std::string::npos);
  for (const char* section : {"\nCapabilities:\n    ", "\nOptimizations:\n    ", "\nChecksum list:\n    ",
                              "\nCompress list:\n    ", "\nDaemon auth list:\n    "})
    CHECK(text.find(section) != std::string::npos);
  CHECK(text.find("\n    xxh128 xxh3 xxh64 (xxhash) md5 md4 sha1 none\n") != std::string::npos);
  CHECK(text.find("64-bit files, 64-bit inums,") != std::string::npos);
}

TEST_CASE("version as JSON: rsync's keys") {
  const std::string text = version_json();
  for (const char* part :
       {"\"program\": \"rsync\"", "\"version\": \"3.5.0\"", "\"protocol\": \"32.0\"", "\"file_bits\": 64",
        "\"long_int_bits\": 64", "\"hardlinks\": true", "\"secluded_args\": \"optional\"", "\"crtimes\": false",
        "\"checksum_list\": [\n    \"xxh128\", \"xxh3\"", "\"daemon_auth_list\": [", "\"license\": "})
    CHECK(text.find(part) != std::string::npos);
  CHECK(text.find("(xxhash)") == std::string::npos);
}

TEST_CASE("help: fits a terminal and shows what rows show") {
  for (const std::string& text : {help_text(), daemon_help_text(), version_text(), version_json()}) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(line.size() <= 100);
    }
  }
  CHECK(help_text().find("\n--archive, -a            ") != std::string::npos);
  CHECK(help_text().find("\n--max-size=SIZE          ") != std::string::npos);
  CHECK(help_text().find("\n-P                       ") != std::string::npos);
  CHECK(help_text().find("--protect-args") == std::string::npos);
}

TEST_CASE("rows: every spelling on a line of its own") {
  CHECK(rows_text().find("--verbose\t-v\t\t") != std::string::npos);
  CHECK(rows_text().find("\n--no-perms\t\t\t\n") != std::string::npos);
  CHECK(rows_text().find("\n\t-D\t\t") != std::string::npos);
}
