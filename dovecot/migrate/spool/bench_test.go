package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The first conversion of one account, with data brought to the disk and
// without, and the run after it that finds nothing to do.
//
//	go test -run xxx -bench . -benchtime 3x ./dovecot/migrate/spool
func BenchmarkConvert(b *testing.B) {
	for _, c := range []struct {
		name            string
		folders, n, len int
		noSync, again   bool
	}{
		{"small, 1 folder", 1, 5000, 2400, false, false},
		{"small, 1 folder, no sync", 1, 5000, 2400, true, false},
		{"small, 50 folders", 50, 100, 2400, false, false},
		{"200 KB", 1, 500, 200_000, false, false},
		{"unchanged, 50 folders", 50, 100, 2400, false, true},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b)
			w.opt.NoSync = c.noSync
			body := strings.Repeat("0123456789012345678901234567890123456789012345678901234567890123456789012345\r\n", c.len/78)
			for f := range c.folders {
				box := &fake{validity: uint32(f + 1)}
				if f > 0 {
					box.folder = fmt.Sprintf("F%d", f)
				}
				for i := range c.n {
					box.add(fmt.Sprintf("Subject: %d\r\n\r\n", i)+body, `\Seen`)
				}
				box.write(b, w.root, "anna", layouts["3.6"])
			}
			if c.again {
				w.convert(b)
			}
			b.ResetTimer()
			var messages int
			var bytes int64
			for i := range b.N {
				if !c.again {
					dir := filepath.Dir(filepath.Dir(w.acct.Maildir))
					w.acct.Maildir = filepath.Join(dir, fmt.Sprint("home", i), "Maildir")
					w.state = filepath.Join(dir, fmt.Sprint("state", i))
					if err := os.Mkdir(filepath.Dir(w.acct.Maildir), 0o700); err != nil {
						b.Fatal(err)
					}
				}
				res := w.convert(b)
				messages += res.Total.Copied
				bytes += res.Total.Bytes
				if c.again != (res.Unchanged == c.folders) || len(res.Problems) > 0 {
					b.Fatalf("%+v", res)
				}
			}
			if !c.again {
				b.ReportMetric(float64(messages)/b.Elapsed().Seconds(), "messages/s")
				b.ReportMetric(float64(bytes)/1e6/b.Elapsed().Seconds(), "MB/s")
			}
		})
	}
}
