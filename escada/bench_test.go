package escada_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ictmedia/schoolmail/escada"
)

// BenchmarkRead reads 350,000 rows of as many people, and says how many times
// as long it takes as encoding/csv takes to cut the same bytes into fields.
func BenchmarkRead(b *testing.B) {
	const rows = 350_000
	var file bytes.Buffer
	file.WriteString(head)
	for i := range rows {
		fmt.Fprintf(&file, "%d;L;%s-Müller;Anna %c;ps-%03d;P;%d%c;10.08.2026;;;;de\n",
			1_000_000+i, []string{"Rossi", "Favre", "Çelik"}[i%3], 'A'+rune(i/3%26), i%997, 1+i%6, 'a'+rune(i%5))
	}
	fsys := fstest.MapFS{"x.csv": &fstest.MapFile{Data: file.Bytes()}}
	b.SetBytes(int64(file.Len()))
	b.ReportAllocs()
	var yard, ours time.Duration
	for b.Loop() {
		start := time.Now()
		r := csv.NewReader(bytes.NewReader(file.Bytes()))
		r.Comma, r.ReuseRecord = ';', true
		for {
			if _, err := r.Read(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		yard += time.Since(start)
		start = time.Now()
		d, err := escada.Read(b.Context(), fsys, nil)
		if err != nil || len(d.Records) != rows {
			b.Fatal(len(d.Records), err)
		}
		ours += time.Since(start)
	}
	b.ReportMetric(ours.Seconds()/yard.Seconds(), "x-encoding/csv")
}
