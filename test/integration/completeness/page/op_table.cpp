// Prints the manual's page docs/completeness.md.
#include "test/integration/completeness/table/OpTable.h"

#include <cstdio>

int main() {
  std::string page = nibble::test::pageOf(nibble::test::makeOpTable(),
                                          nibble::test::knownHoles());
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() ? 0
                                                                         : 1;
}
