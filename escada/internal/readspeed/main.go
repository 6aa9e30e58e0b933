//go:build unix

// Command readspeed measures the export reader: it writes an export of made-up
// people into a temporary file, reads it with encoding/csv (every field looked
// at, nothing kept) and with package escada, and prints rate, ratio, allocations
// and memory.
//
//	go run ./escada/internal/readspeed -rows 10000000 -people 1000000
//	go run ./escada/internal/readspeed -shuffled -form quoted
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"syscall"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

func main() {
	rows := flag.Int("rows", 350_000, "`number` of rows")
	people := flag.Int("people", 0, "`number` of people; 0: as many as rows")
	shuffled := flag.Bool("shuffled", false, "rows in no order of ids")
	form := flag.String("form", "plain", "of rows: plain, quoted (every field), windows (Windows-1252, CRLF), "+
		"contacts (addresses and telephone numbers), district (a made-up one; has its own number of rows)")
	times := flag.Int("times", 3, "`number` of readings, of which the quickest counts")
	flag.Parse()
	if *people == 0 {
		*people = *rows
	}
	if err := run(export{*rows, *people, *shuffled, *form}, *times); err != nil {
		fmt.Fprintln(os.Stderr, "readspeed:", err)
		os.Exit(1)
	}
}

// export is what is written.
type export struct {
	rows, people int
	shuffled     bool
	form         string
}

func run(x export, times int) error {
	dir, err := os.MkdirTemp("", "readspeed")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "export.csv")
	size, err := x.write(path)
	if err != nil {
		return err
	}
	rows, people := x.rows, x.people
	fmt.Printf("%d rows of %d people, %s, %d MB\n", rows, people, x.form, size>>20)
	// In turns, so that whatever else the machine does hinders both.
	var yard, ours measurement
	for range times {
		if err := yard.take(rows, func() (int, error) { return readCSV(path) }); err != nil {
			return err
		}
		err := ours.take(rows, func() (int, error) {
			d, err := escada.ReadDir(context.Background(), dir, nil)
			if err == nil && (len(d.Records) != people || len(d.Rejected) > 0) {
				err = fmt.Errorf("%d records, %d rejected", len(d.Records), len(d.Rejected))
			}
			return d.Rows, err
		})
		if err != nil {
			return err
		}
	}
	yard.print("encoding/csv, ReuseRecord", rows)
	ours.print("escada", rows)
	fmt.Printf("escada takes %.2f times as long, %.2f times the processor time\n",
		ours.wall.Seconds()/yard.wall.Seconds(), ours.processor.Seconds()/yard.processor.Seconds())
	return nil
}

// write makes rows of people: in each round all people have a row, in another class.
func (x *export) write(path string) (int64, error) {
	if x.form == "district" {
		return x.writeDistrict(path)
	}
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	out := io.Writer(f)
	if x.form == "windows" {
		out = charmap.Windows1252.NewEncoder().Writer(f)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	given := []string{"Léa", "Noah", "Anna Maria", "Björn", "Zoë", "Lio", "Gianna", "Élodie"}
	family := []string{"Müller", "Rossi", "D'Angelo", "von Arx", "Keller", "Çelik", "Schmid", "Favre"}
	row := "%d;L;%s-%s;%s;ps-%03d;P;%d%c;10.08.2026;;;;de\n"
	contacts := x.form == "contacts"
	switch x.form {
	case "plain":
	case "contacts":
		row = "%d;L;%s-%s;%s;ps-%03d;P;%d%c;10.08.2026;;p%d@example.org;031 555 %d;de\n"
	case "quoted":
		row = `"%d";"L";"%s-%s";"%s";"ps-%03d";"P";"%d%c";"10.08.2026";"";"";"";"de"` + "\n"
	case "windows":
		row = "%d;L;%s-%s;%s;ps-%03d;P;%d%c;10.08.2026;;;;de\r\n"
	default:
		return 0, fmt.Errorf("form %q is not known", x.form)
	}
	fmt.Fprintln(w, "PersonId;Rolle;Name;Vorname;Schule;Stufe;Klasse;Von;Bis;EMailPrivat;Telefon;Sprache")
	for i := range x.rows {
		p, round := i%x.people, i/x.people
		if x.shuffled {
			p = int(uint64(p) * 7_368_787 % uint64(x.people)) // a prime: everybody once, unless it divides people
		}
		values := []any{1_000_000 + p,
			family[p%8], family[p/8%8], given[p/64%8], p % 997, 1 + p%6 + round*6, 'a' + rune(p%5)}
		if contacts {
			values = append(values, p, 1000+p%9000)
		}
		fmt.Fprintf(w, row, values...)
	}
	if err := w.Flush(); err != nil {
		return 0, err
	}
	return f.Seek(0, io.SeekCurrent)
}

// writeDistrict writes the export of a district of so many people, in which teachers
// stand in several rows and names are as various as they are.
func (x *export) writeDistrict(path string) (int64, error) {
	files, err := escadatest.NewDistrict(1, &escadatest.Options{People: x.people}).Export(nil)
	if err != nil {
		return 0, err
	}
	data := files["export.csv"]
	if x.shuffled {
		lines := bytes.SplitAfter(data, []byte("\n"))
		rows := lines[1 : len(lines)-1]
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		data = bytes.Join(lines, nil)
	}
	x.rows = bytes.Count(data, []byte("\n")) - 1
	return int64(len(data)), os.WriteFile(path, data, 0o600)
}

func readCSV(path string) (rows int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma, r.ReuseRecord = ';', true
	for {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			return rows - 1, nil
		} else if err != nil {
			return 0, err
		}
		rows++
	}
}

// measurement is the best of several.
type measurement struct {
	wall, processor time.Duration
	allocs, heap    uint64
}

func (m *measurement) take(rows int, f func() (int, error)) error {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	peak := watchHeap()
	start, used := time.Now(), processorTime()
	n, err := f()
	wall, processor := time.Since(start), processorTime()-used
	m.heap = max(m.heap, peak())
	runtime.ReadMemStats(&after)
	if err == nil && n != rows {
		err = fmt.Errorf("%d rows read", n)
	}
	if m.wall == 0 || wall < m.wall {
		m.wall = wall
	}
	if m.processor == 0 || processor < m.processor {
		m.processor = processor
	}
	m.allocs = after.Mallocs - before.Mallocs
	return err
}

func (m *measurement) print(name string, rows int) {
	fmt.Printf("%-26s %8.3f s, %10.0f rows/s, %.3f allocations per row, heap at most %d MB\n", name, m.wall.Seconds(),
		float64(rows)/m.wall.Seconds(), float64(m.allocs)/float64(rows), m.heap>>20)
}

// processorTime is what this process has used so far, garbage collection included.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// watchHeap looks at the heap every few milliseconds; the function it returns
// ends that and gives the most that was seen.
func watchHeap() func() uint64 {
	stop, seen := make(chan struct{}), make(chan uint64)
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		var values []uint64
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			metrics.Read(sample)
			values = append(values, sample[0].Value.Uint64())
			select {
			case <-stop:
				seen <- slices.Max(values)
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(stop); return <-seen }
}
