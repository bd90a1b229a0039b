// Package arch holds the shape of the tree as tests: who may import whom, where audit codes may be spelled, that
// packages keep no state of their own, and that every link of the documentation leads somewhere.
//
// The tests read source text and never compile it, so that they hold on a tree that is half built. There is no other
// code in the package, and nothing imports it.
package arch
