// Package follow is what the example watch does: it gathers the changes of the
// directory, and once it is quiet runs the main job for those people alone, and the
// address books.
package follow
