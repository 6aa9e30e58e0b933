package schoolmail

import (
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestGoldenPlans plays the stories in testdata/plans. A story is a sequence of
// days: the files "DAY export.csv" (id;role;family;given;school;level;class),
// optionally "DAY rejected.csv" (file;line;column;reason;id;school) and "DAY
// options" (lines "delta" or "incomplete: reason" or "no apply"), and then
// "DAY plan.txt", the plan as the operator reads it, optionally followed by "DAY
// undo.txt", the plan that takes it back (it is not applied). Each plan is applied to a
// directory, OX and mail server in memory; planning again must find nothing.
func TestGoldenPlans(t *testing.T) {
	files, err := filepath.Glob("testdata/plans/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden plans", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := smallPolicy(7)
			p.Populations[1].Contexts = []ContextID{30}
			p.Populations[2].Levels = []SchoolLevel{"primary"}
			if strings.Contains(string(ar.Comment), "guards: default") {
				p.Guards = Guards{}
			}
			w := newWorld(t, p)
			var out []txtar.File
			for i := 0; i < len(ar.Files); {
				day, _, _ := strings.Cut(ar.Files[i].Name, " ")
				now, err := ParseDate(day)
				if err != nil {
					t.Fatal(err)
				}
				d := Delivery{Source: "escada", Kind: DeliveryFull, Fingerprint: "of-" + day}
				apply, want, back := true, "", (*string)(nil)
				for ; i < len(ar.Files) && strings.HasPrefix(ar.Files[i].Name, day+" "); i++ {
					f := ar.Files[i]
					data := string(f.Data)
					switch f.Name {
					case day + " export.csv":
						d.Records = goldenRecords(t, data)
						d.Rows = len(d.Records)
					case day + " rejected.csv":
						for _, row := range goldenRows(t, data, 6) {
							r := Rejection{Position: Position{File: row[0], Column: row[2]}, Reason: row[3], School: SchoolID(row[5])}
							fmt.Sscan(row[1], &r.Line)
							if row[4] != "" {
								r.Key = RecordKey{"escada", row[4]}
							}
							d.Rejected = append(d.Rejected, r)
						}
					case day + " options":
						for line := range strings.Lines(data) {
							line = strings.TrimSpace(line)
							if line == "delta" {
								d.Kind = DeliveryDelta
							}
							if why, ok := strings.CutPrefix(line, "incomplete: "); ok {
								d.Incomplete = why
							}
							apply = apply && line != "no apply"
						}
					case day + " plan.txt":
						want = data
						continue
					case day + " undo.txt":
						back = &data
						continue
					default:
						t.Fatalf("unknown file %q", f.Name)
					}
					out = append(out, f)
				}
				plan, err := NewPlan(p, w.observe(), d, now)
				if err != nil {
					t.Fatal(err)
				}
				plan.Header.ID = "(id)" // depends on every detail of the encoding
				var b strings.Builder
				if err := plan.WriteText(&b); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, b.String()); diff != "" && !*update {
					t.Errorf("%s: (-golden +now)\n%s", day, diff)
				}
				out = append(out, txtar.File{Name: day + " plan.txt", Data: []byte(b.String())})
				if apply {
					applied := w.run(p, d, now)
					w.sound()
					if back != nil {
						undo, err := NewUndo(p, w.observe(), d, applied, now)
						if err != nil {
							t.Fatal(err)
						}
						undo.Header.ID = "(id)"
						b.Reset()
						if err := undo.WriteText(&b); err != nil {
							t.Fatal(err)
						}
						if diff := cmp.Diff(*back, b.String()); diff != "" && !*update {
							t.Errorf("undo of %s: (-golden +now)\n%s", day, diff)
						}
						out = append(out, txtar.File{Name: day + " undo.txt", Data: []byte(b.String())})
					}
					if again := w.run(p, d, now); !again.Empty() {
						t.Errorf("%s: planning again finds:\n%s", day, again.Summary())
					}
				}
			}
			if *update {
				ar.Files = out
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func goldenRows(t *testing.T, data string, fields int) [][]string {
	t.Helper()
	r := csv.NewReader(strings.NewReader(data))
	r.Comma, r.FieldsPerRecord = ';', fields
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func goldenRecords(t *testing.T, data string) []Record {
	var rs []Record
	for _, row := range goldenRows(t, data, 7) {
		m := Membership{School: SchoolID(row[4]), Level: SchoolLevel(row[5])}
		if row[6] != "" {
			m.Classes = strings.Split(row[6], "+")
		}
		key := RecordKey{"escada", row[0]}
		if i := slices.IndexFunc(rs, func(r Record) bool { return r.Key == key }); i >= 0 {
			rs[i].Memberships = append(rs[i].Memberships, m)
			continue
		}
		rs = append(rs, Record{Key: key, Role: Role(row[1]), FamilyName: row[2], GivenName: row[3],
			Memberships: []Membership{m}})
	}
	return rs
}
