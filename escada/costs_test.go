package escada_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ictmedia/schoolmail/escada"
	"github.com/ictmedia/schoolmail/escada/escadatest"
)

// rowsOf makes rows of people in rounds, in which all of them stand once.
func rowsOf(format string, people, rounds int) string {
	var b strings.Builder
	b.WriteString(head)
	for i := range people * rounds {
		p := i * 7919 % people
		fmt.Fprintf(&b, format, 1_000_000+p, []string{"Rossi", "Favre", "Çelik"}[p%3], p%97, 1+p%6)
	}
	return b.String()
}

func readAll(t *testing.T, files fstest.MapFS, people int) {
	t.Helper()
	d, err := escada.Read(t.Context(), files, &escada.Options{Profile: &escada.Profile{RepeatedRows: true}})
	if err != nil || len(d.Records) != people || len(d.Rejected) > 0 {
		t.Fatalf("%d people, %d rejected, %v", len(d.Records), len(d.Rejected), err)
	}
}

// A row costs at most one allocation, whatever it looks like.
func TestAllocationsOfARow(t *testing.T) {
	const people = 20_000
	district, err := escadatest.NewDistrict(1, &escadatest.Options{People: people, NoticeMail: 500}).Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	of := func(text string) fstest.MapFS { return fstest.MapFS{"x.csv": {Data: []byte(text)}} }
	for name, files := range map[string]fstest.MapFS{
		"plain":    of(rowsOf("%d;L;%s-Müller;Anna;ps-%03d;P;%da;10.08.2026;;;;de\n", people, 1)),
		"quoted":   of(rowsOf(`"%d";"L";"%s";"Anna";"ps-%03d";"P";"%da";"";"";"";"";"de"`+"\r\n", people, 1)),
		"contacts": of(rowsOf("%[1]d;L;%[2]s;Anna;ps-%03[3]d;P;%[4]da;;;p%[1]d@example.org;031 %[1]d;de\n", people, 1)),
		"district": district.FS(),
	} {
		rows := -1
		for _, f := range files {
			rows += strings.Count(string(f.Data), "\n")
		}
		allocations := testing.AllocsPerRun(1, func() { readAll(t, files, people) })
		t.Logf("%s: %.3f allocations for each of %d rows", name, allocations/float64(rows), rows)
		if allocations > float64(rows) {
			t.Errorf("%s: %.0f allocations for %d rows", name, allocations, rows)
		}
	}
}

// Rows that say nothing new of people who are known cost no memory.
func TestMemoryIsOfPeopleNotOfRows(t *testing.T) {
	const people = 5000
	cost := func(rounds int) int64 {
		text := rowsOf("%d;L;%s;Anna;ps-%d;P;%da;;;a@example.org;;de\n", people, rounds)
		files := fstest.MapFS{"x.csv": {Data: []byte(text)}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readAll(t, files, people)
		runtime.ReadMemStats(&after)
		return int64(after.TotalAlloc - before.TotalAlloc)
	}
	once, often := cost(1), cost(40)
	t.Logf("%d bytes for %d rows, %d for forty times as many", once, people, often)
	// 195,000 further rows; the buffers in which they are read are made once.
	if more := often - once; more > 3<<20 {
		t.Errorf("%d bytes more", more)
	}
}
