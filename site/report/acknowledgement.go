package report

import (
	"encoding/csv"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/page"
)

// Acknowledgement is what the school administration is told about its delivery: a line
// for each record, or row without an id, that was not taken as it was sent.
type Acknowledgement struct {
	Language string // of the page; the CSV file has all languages
	From     string // who sends it
	Day      string // ISO 8601
	Lines    []AckLine
}

// AckLine has what several mistakes of a record have to say, each once.
type AckLine struct {
	Where  []string // places in the export
	ID     []string // of the person
	School []string
	Says   []Note // what is wrong, or was done
	Detail []Note // what was expected
}

// ackRow is a line in a language.
type ackRow struct{ Where, ID, School, Says, Detail string }

func (a *Acknowledgement) rows(t page.Texts) []ackRow {
	rows := make([]ackRow, len(a.Lines))
	for i, l := range a.Lines {
		rows[i] = ackRow{Where: strings.Join(l.Where, " / "), ID: strings.Join(l.ID, " / "),
			School: strings.Join(l.School, " / "), Says: sentences(t, l.Says, " "), Detail: sentences(t, l.Detail, " ")}
	}
	return rows
}

// ackGroup are lines that say the same.
type ackGroup struct {
	Says, Detail string
	Rows         []ackRow
}

func ackGroups(rows []ackRow) []ackGroup {
	var groups []ackGroup
	for _, r := range rows {
		i := slices.IndexFunc(groups, func(g ackGroup) bool { return g.Says == r.Says && g.Detail == r.Detail })
		if i < 0 {
			i = len(groups)
			groups = append(groups, ackGroup{Says: r.Says, Detail: r.Detail})
		}
		groups[i].Rows = append(groups[i].Rows, r)
	}
	return groups
}

// WriteHTML writes the acknowledgement as a page, school by school.
func (a *Acknowledgement) WriteHTML(w io.Writer) error {
	t := book.In(a.Language)
	type part struct {
		School string
		Lines  []ackGroup
	}
	bySchool := map[string][]ackRow{}
	for _, r := range a.rows(t) {
		bySchool[r.School] = append(bySchool[r.School], r)
	}
	var parts []part
	for _, school := range slices.Sorted(maps.Keys(bySchool)) {
		parts = append(parts, part{school, ackGroups(bySchool[school])})
	}
	return book.Write(w, "acknowledgement.html.tmpl", a.Language, struct {
		Heading string
		Parts   any
		None    bool
	}{t.Say("ack.title", a.From, t.Day(a.Day)), parts, len(parts) == 0})
}

// WriteCSV writes CSV as the administration's spreadsheets read it: semicolons, UTF-8
// with a byte order mark, what is said in German, French and English. Without anything
// to tell there is the header alone: the delivery was taken as it was sent.
func (a *Acknowledgement) WriteCSV(out io.Writer) error {
	if _, err := io.WriteString(out, "\ufeff"); err != nil {
		return err
	}
	w := csv.NewWriter(out)
	w.Comma, w.UseCRLF = ';', true
	rows := [][]string{{"Stelle", "PersonId", "Schule", "Meldung", "Einzelheiten", "Message", "Précisions", "Notice",
		"Details"}}
	for _, l := range a.Lines {
		row := []string{strings.Join(l.Where, " / "), strings.Join(l.ID, " / "), strings.Join(l.School, " / ")}
		for _, lang := range page.Languages() {
			t := book.In(lang)
			row = append(row, sentences(t, l.Says, " / "), sentences(t, l.Detail, " / "))
		}
		for i := range row {
			row[i] = Harmless(row[i])
		}
		rows = append(rows, row)
	}
	return w.WriteAll(rows)
}

// Harmless returns a cell of a table that spreadsheets do not take for a formula.
func Harmless(cell string) string {
	if strings.ContainsAny(cell[:min(1, len(cell))], "=+-@\t\r\n") {
		return "'" + cell
	}
	return cell
}
