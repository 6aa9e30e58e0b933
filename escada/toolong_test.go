package escada_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ictmedia/schoolmail/escada"
)

// growing is a folder whose files say that they are short, as those do that are written
// while they are read.
type growing struct{ fstest.MapFS }

func (g growing) Open(name string) (fs.File, error) {
	f, err := g.MapFS.Open(name)
	if err != nil || name == "." {
		return f, err
	}
	return growingFile{f}, nil
}

type growingFile struct{ fs.File }

func (f growingFile) Stat() (fs.FileInfo, error) {
	i, err := f.File.Stat()
	return shortInfo{i}, err
}

type shortInfo struct{ fs.FileInfo }

func (shortInfo) Size() int64 { return 10 }

// A file is read up to its greatest length, whatever length it says it has.
func TestFilesThatSayTheyAreShort(t *testing.T) {
	t.Parallel()
	text := head + strings.Repeat("17;S;Abel;Ida;ps-au;P;4b;;;;;\n", 9)
	for more, want := range map[int64]error{0: nil, -1: escada.ErrTooLarge} {
		fsys := growing{fstest.MapFS{"x.csv": {Data: []byte(text)}}}
		_, err := escada.Read(t.Context(), fsys, &escada.Options{MaxFileBytes: int64(len(text)) + more})
		if (err == nil) != (want == nil) || !errors.Is(err, want) {
			t.Errorf("%d bytes more than it has: %v, want %v", more, err, want)
		}
	}
}
