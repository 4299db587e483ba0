// Which processor a thread runs on, and which memory is near to it. Machines with one node answer "one" and nothing
// more is done there.
#pragma once

#include <vector>

#include "libio/base/result.h"

namespace ocsync::io {

// Nodes with memory of their own; at least 1. Asked once for the process.
unsigned node_count();
// The node that the calling thread runs on, below node_count(). A fresh buffer lies there, as its pages are touched by
// whoever asked for it.
unsigned current_node();

// Processors that this process may use, ascending.
std::vector<unsigned> allowed_cpus();
// Keeps the calling thread on one of `cpus` (empty: all that are allowed): the index-th, counted round. A wish: fails
// only if the kernel refuses, and nothing has changed then.
Status pin_to_one_of(const std::vector<unsigned>& cpus, unsigned index);

}  // namespace ocsync::io
