// Package examples holds the programs in its folders, each with a thin main, and the
// test of what they print. There is nothing to import.
package examples
