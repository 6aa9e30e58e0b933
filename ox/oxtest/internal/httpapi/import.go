package httpapi

import (
	"bytes"
	"encoding/csv"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail/ox/appsuite"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// namingFields are those of which a file must have at least one column, and a
// row at least one value.
var namingFields = []string{"display_name", "last_name", "first_name", "second_name", "nickname", "company", "email1",
	"email2", "email3"}

// outlookTitles is the part of the German Outlook mapping that school files use.
var outlookTitles = map[string]string{
	"Vorname": "first_name", "Nachname": "last_name", "Weitere Vornamen": "second_name", "Anrede": "title",
	"Suffix": "suffix",
	"Firma":  "company", "Abteilung": "department", "Position": "position", "E-Mail-Adresse": "email1",
	"E-Mail 2: Adresse": "email2",
	"E-Mail 3: Adresse": "email3", "Telefon geschäftlich": "telephone_business1", "Mobiltelefon": "cellular_telephone1",
	"Telefon privat": "telephone_home1", "Geburtstag": "birthday", "Notizen": "note",
}

func importError(code, text string) *failure { return oxErr(code, catInput, "%s", text) }

// importCSV adds the rows of an uploaded file to a folder.
func importCSV(rq *request) (reply, *failure) {
	if rq.multipart == nil {
		return reply{}, importError("I_E-1309", "No file was uploaded.")
	}
	file, problem := rq.uploadedFile()
	if problem != nil {
		return reply{}, problem
	}
	name := rq.params["folder"]
	switch {
	case name == "":
		return reply{}, importError("I_E-1313", "The folder is missing.")
	case strings.Contains(name, ","):
		return reply{}, importError("I_E-0800", "Only one folder is possible.")
	case !rq.who.user.contacts:
		return reply{}, oxErr("I_E-0607", catPermission, "The module contacts is not available.")
	}
	if cs := rq.params["charset"]; cs != "" && !strings.EqualFold(cs, "utf-8") && !strings.EqualFold(cs, "iso-8859-1") &&
		!strings.EqualFold(cs, "windows-1252") {
		return reply{}, importError("I_E-1318", "Unsupported charset.")
	}
	cannot := oxErr("I_E-0500", catPermission, "Cannot import into this folder.")
	id, _, problem := rq.folderID(name)
	if problem != nil {
		return reply{}, cannot
	}
	f := rq.who.pim.Folders[id]
	if f == nil || f.Module != "contacts" || f.ID == state.FolderGAB || !rq.visible(f) ||
		rq.rights(f).folder < levelCreate {
		return reply{}, cannot
	}
	text := decodeText(file, rq.params["charset"])
	if l := rq.api.Options.ImportLimit; l > 0 {
		text = firstLines(text, l+2)
	}
	table, problem := readTable(text)
	if problem != nil {
		return reply{}, problem
	}
	im := &importer{rq: rq, folder: f, table: table}
	if rq.api.Options.FuzzyImport {
		for _, c := range rq.who.pim.ContactsIn(f.ID) {
			im.stored = append(im.stored, storedRow{c, maps.Clone(c.Fields)})
		}
	}
	out := []map[string]any{}
	for i, row := range table.rows {
		if l := rq.api.Options.ImportLimit; l > 0 && i > l {
			break
		}
		out = append(out, im.row(row))
	}
	return reply{data: out, timestamp: rq.who.pim.Clock}, nil
}

// firstLines is what is read of a file under a limit: the titles, one row more
// than the limit, and not a word about the others. Line breaks within cells count.
func firstLines(text string, n int) string {
	at := 0
	for range n {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return text
		}
		at += i + 1
	}
	return text[:at]
}

// uploadedFile reads the one part named "file".
func (rq *request) uploadedFile() ([]byte, *failure) {
	_, params, err := mime.ParseMediaType(rq.multipart.Header.Get("Content-Type"))
	if err != nil {
		return nil, importError("I_E-1309", "No file was uploaded.")
	}
	mr := multipart.NewReader(bytes.NewReader(rq.body), params["boundary"])
	var file []byte
	n := 0
	for {
		p, err := mr.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, oxErr("SVL-0005", catError, "Unreadable upload.")
		}
		if p.FormName() != "file" {
			continue
		}
		n++
		if file, err = io.ReadAll(p); err != nil {
			return nil, oxErr("SVL-0005", catError, "Unreadable upload.")
		}
	}
	switch n {
	case 0:
		return nil, importError("I_E-1309", "No file was uploaded.")
	case 1:
		return file, nil
	}
	return nil, importError("I_E-1300", "Only one file is possible.")
}

// decodeText turns a file into UTF-8: as the charset says, else by its looks.
func decodeText(b []byte, charset string) string {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if strings.EqualFold(charset, "utf-8") || (charset == "" && utf8.Valid(b)) {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	r := make([]rune, len(b))
	for i, c := range b {
		r[i] = rune(c)
	}
	return string(r)
}

// csvTable is a file as read: which field each column holds ("" for a title that
// is not known), and the rows.
type csvTable struct {
	fields  []string
	unknown bool
	rows    [][]string
}

func readTable(text string) (csvTable, *failure) {
	if strings.TrimSpace(text) == "" {
		return csvTable{}, importError("I_E-0804", "No titles recognised.")
	}
	first, _, _ := strings.Cut(text, "\n")
	r := csv.NewReader(strings.NewReader(text))
	r.LazyQuotes = true
	r.FieldsPerRecord = -1
	r.Comma = ','
	for _, c := range []rune{';', '\t'} {
		if strings.Count(first, string(c)) > strings.Count(first, string(r.Comma)) {
			r.Comma = c
		}
	}
	all, err := r.ReadAll()
	if err != nil || len(all) < 2 {
		return csvTable{}, importError("I_E-1315", "The file has fewer than two lines.")
	}
	t := csvTable{rows: all[1:]}
	best := 0
	for _, mapping := range []map[string]string{fieldsByTitle, outlookTitles} {
		fields := make([]string, len(all[0]))
		hits := 0
		for i, title := range all[0] {
			if fields[i] = mapping[title]; fields[i] != "" {
				hits++
			}
		}
		if hits > best {
			best, t.fields = hits, fields
		}
	}
	switch {
	case best == 0:
		return csvTable{}, importError("I_E-0804", "No titles recognised.")
	case !slices.ContainsFunc(namingFields, func(f string) bool { return slices.Contains(t.fields, f) }):
		return csvTable{}, importError("I_E-0807", "No column for a name.")
	}
	t.unknown = best < len(all[0])
	return t, nil
}

type importer struct {
	rq     *request
	folder *state.Folder
	table  csvTable
	stored []storedRow
}

// storedRow is a contact as it was before the import began.
type storedRow struct {
	contact *state.Contact
	fields  map[string]string
}

// row imports one row and returns what is answered for it.
func (im *importer) row(cells []string) map[string]any {
	n := func(e *failure) map[string]any { return e.envelope(im.rq.api.next()) }
	set := map[string]string{}
	var warning *failure
	if im.table.unknown {
		warning = oxErr("I_E-0803", catWarning, "Some columns were not recognised.")
	}
	for i, text := range cells {
		if i >= len(im.table.fields) || im.table.fields[i] == "" || text == "" {
			continue
		}
		field := im.table.fields[i]
		switch {
		case isDate(field):
			d, ok := importDate(text)
			if !ok {
				return n(oxErr("CSV-1003", catInput, "A date cannot be read."))
			}
			text = d
		case isMail(field) && !validMail(text):
			warning = oxErr("I_E-1306", catWarning, "An address is not valid.")
			continue
		case isFlag(field):
			text = strconv.FormatBool(strings.EqualFold(text, "true"))
		}
		if l := appsuite.Column(field).Limit(); l > 0 {
			if r := []rune(text); len(r) > l {
				text = string(r[:l]) // cut without a word
			}
		}
		set[field] = text
	}
	if len(set) == 0 {
		return n(importError("I_E-0805", "Nothing usable in this row."))
	}
	if !slices.ContainsFunc(namingFields, func(f string) bool { return set[f] != "" }) {
		return n(importError("I_E-0808", "No name in this row."))
	}
	c, problem := im.store(set)
	if problem != nil {
		return n(problem)
	}
	out := map[string]any{}
	if warning != nil {
		out = n(warning)
	}
	out["id"] = strconv.Itoa(c.ID)
	out["last_modified"] = c.Modified
	out["folder_id"] = strconv.Itoa(im.folder.ID)
	if !im.rq.api.Options.PlainFolderIDs {
		out["folder_id"] = compositePrefix + strconv.Itoa(im.folder.ID)
	}
	return out
}

// store writes a row: as a new contact, or over the stored one it matches.
func (im *importer) store(set map[string]string) (*state.Contact, *failure) {
	if c := im.match(set); c != nil {
		r := im.rq.rights(im.folder)
		if r.write < levelOwn || (r.write < levelAll && c.CreatedBy != im.rq.who.uid) {
			return nil, oxErr("I_E-1310", catError, "The contact could not be saved.")
		}
		keep, had := c.Fields["userfield20"]
		maps.Copy(c.Fields, set)
		if had {
			c.Fields["userfield20"] = keep
		}
		im.rq.who.pim.Touch(c, im.rq.who.uid)
		return c, nil
	}
	if problem := im.rq.checkQuota(1); problem != nil {
		return nil, problem
	}
	return im.rq.store(im.folder, set), nil
}

const matchThreshold = 9

// matchScores are the points that an equal field gives.
var matchScores = []struct {
	field  string
	points int
}{
	{"first_name", 5}, {"last_name", 5}, {"display_name", 10}, {"email1", 10}, {"email2", 10}, {"email3", 10},
	{"cellular_telephone1", 10}, {"birthday", 5},
}

// match finds the stored contact that releases 7.8 to 7.10 take a row for: first
// name and surname together are enough. Rows of one file never match each other.
func (im *importer) match(set map[string]string) *state.Contact {
	var best *state.Contact
	most := matchThreshold
	for _, s := range im.stored {
		score := 0
		for _, m := range matchScores {
			if v := set[m.field]; v != "" && v == s.fields[m.field] {
				score += m.points
			}
		}
		if score <= matchThreshold && sameContent(set, s.fields) {
			score = matchThreshold + 1
		}
		if score > most && im.rq.who.pim.Contacts[s.contact.ID] != nil {
			best, most = s.contact, score
		}
	}
	return best
}

func sameContent(set, stored map[string]string) bool {
	for _, c := range appsuite.Columns() {
		if name := string(c); name != "uid" && name != "userfield20" && set[name] != stored[name] {
			return false
		}
	}
	return true
}

func importDate(s string) (string, bool) {
	for _, layout := range []string{"02.01.2006", "01/02/2006", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.Format(simDate), true
		}
	}
	return "", false
}
