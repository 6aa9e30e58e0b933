//go:build !unix

package site

import "io/fs"

// fileOwner returns "": whose a file is cannot be told here.
func fileOwner(fs.FileInfo) string { return "" }
