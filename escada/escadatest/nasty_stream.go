package escadatest

import (
	"bytes"
	"io"
	"io/fs"
	"testing/fstest"
)

// quotes are the files of an export as far as their names go; in them are quotes,
// which are made while they are read.
func quotes(e Export, size int64) fs.FS {
	return quoteFS{e.FS(), size / int64(max(1, len(e)))}
}

type quoteFS struct {
	names fstest.MapFS
	size  int64 // of each file
}

func (q quoteFS) ReadDir(name string) ([]fs.DirEntry, error) { return q.names.ReadDir(name) }

func (q quoteFS) Open(name string) (fs.File, error) {
	f, err := q.names.Open(name)
	if _, ok := q.names[name]; err != nil || !ok {
		return f, err
	}
	return &quoteFile{File: f, size: q.size}, nil
}

// quoteFile is a file of quotes.
type quoteFile struct {
	fs.File
	size, at int64
}

var quoteBlock = bytes.Repeat([]byte(`"`), 64<<10)

func (f *quoteFile) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.at)
	f.at += int64(n)
	if n > 0 {
		err = nil
	}
	return n, err
}

func (f *quoteFile) ReadAt(p []byte, at int64) (int, error) {
	n := int(min(int64(len(p)), max(0, f.size-at)))
	for done := 0; done < n; {
		done += copy(p[done:n], quoteBlock)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *quoteFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return quoteInfo{info, f.size}, err
}

type quoteInfo struct {
	fs.FileInfo
	size int64
}

func (i quoteInfo) Size() int64 { return i.size }
