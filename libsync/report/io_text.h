// What --info=io prints about the I/O layer: lines for people, or one line of JSON.
#pragma once

#include <string>

#include "libio/base/text.h"
#include "libio/os/io_metrics.h"

namespace ocsync::sync {

// Lines joined by newlines, beginning with an empty one.
std::string io_text(const io::IoMetrics& metrics, NumberStyle style);
// One object on one line; keys are stable, values are whole numbers.
std::string io_json(const io::IoMetrics& metrics);

// What another end of the same process did belongs to this run as well.
void add_io(io::IoMetrics& to, const io::IoMetrics& from);

}  // namespace ocsync::sync
