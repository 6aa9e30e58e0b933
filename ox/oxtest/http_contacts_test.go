package oxtest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ictmedia/schoolmail/ox/oxtest"
)

func TestHTTPContactRules(t *testing.T) {
	t.Parallel()
	s := school(t)
	b, tim := as(t, s, "books"), as(t, s, "tim")
	f, g := b.folder("Class"), b.folder("Other")
	id, ts := b.contact(f, `"display_name":"A"`)
	far := "timestamp=99999999999999"
	for name, tc := range map[string]struct {
		b    *browser
		code string
		op   string
		args []string
	}{
		"no folder":            {b, "SVL-0009", "contacts new", []string{`{"display_name":"A"}`}},
		"unknown folder":       {b, "FLD-0008", "contacts new", []string{`{"folder_id":"4711","display_name":"A"}`}},
		"no contact folder":    {b, "CON-0103", "contacts new", []string{`{"folder_id":"2","display_name":"A"}`}},
		"no field at all":      {b, "", "contacts new", []string{`{"folder_id":"` + g + `"}`}},
		"private in public":    {b, "CON-0171", "contacts new", []string{`{"folder_id":"` + f + `","private_flag":true}`}},
		"address with a blank": {b, "CON-0100", "contacts new", []string{`{"folder_id":"` + f + `","email1":"a b@x.y"}`}},
		"department of 128": {b, "", "contacts new",
			[]string{`{"folder_id":"` + g + `","department":"` + strings.Repeat("é", 128) + `"}`}},
		"department of 129": {b, "CON-0154", "contacts new",
			[]string{`{"folder_id":"` + g + `","department":"` + strings.Repeat("é", 129) + `"}`}},
		"unknown field": {b, "", "contacts new", []string{`{"folder_id":"` + g + `","shoe_size":"38"}`}},
		"created by a reader": {tim, "CON-0112", "contacts new",
			[]string{`{"folder_id":"` + f + `","display_name":"A"}`}},
		"changed by a reader": {tim, "CON-0176", "contacts update",
			[]string{"folder=" + f, "id=" + id, far, `{"note":"x"}`}},
		"deleted by a reader": {tim, "CON-0169", "contacts delete",
			[]string{far, `{"folder":"` + f + `","id":"` + id + `"}`}},
		"read by a reader":     {tim, "", "contacts get", []string{"folder=" + f, "id=" + id}},
		"update, no timestamp": {b, "SVL-0010", "contacts update", []string{"folder=" + f, "id=" + id, `{"note":"x"}`}},
		"update, no folder":    {b, "SVL-0009", "contacts update", []string{"id=" + id, far, `{"note":"x"}`}},
		"update, wrong folder": {b, "CON-0174", "contacts update",
			[]string{"folder=" + g, "id=" + id, far, `{"note":"x"}`}},
		"update, unknown": {b, "CON-0125", "contacts update",
			[]string{"folder=" + f, "id=99999", far, `{"note":"x"}`}},
		"update, id no number": {b, "CON-0261", "contacts update", []string{"folder=" + f, "id=x", far, `{"note":"x"}`}},
		"update, old timestamp": {b, "CON-0119", "contacts update",
			[]string{"folder=" + f, "id=" + id, "timestamp=5", `{"note":"x"}`}},
		"delete, old timestamp": {b, "CON-0119", "contacts delete",
			[]string{"timestamp=5", `{"folder":"` + f + `","id":"` + id + `"}`}},
		"own entry in the book": {b, "CON-0260", "contacts delete", []string{far, `{"folder":"6","id":"1"}`}},
		"new in the book":       {b, "CON-0112", "contacts new", []string{`{"folder_id":"6","display_name":"A"}`}},
		"list without name": {b, "CON-0166", "contacts new",
			[]string{`{"folder_id":"` + f + `","mark_as_distributionlist":true,"distribution_list":[]}`}},
		"member without address": {b, "CON-0177", "contacts new",
			[]string{`{"folder_id":"` + f +
				`","display_name":"L","mark_as_distributionlist":true,"distribution_list":[{"mail_field":0}]}`}},
		"member without contact": {b, "CON-0178", "contacts new",
			[]string{`{"folder_id":"` + f +
				`","display_name":"L","mark_as_distributionlist":true,"distribution_list":[{"mail":"a@b.c","mail_field":1}]}`}},
		"limits the wrong way": {b, "SVL-0010", "contacts all", []string{"folder=" + f, "columns=1", "left_hand_limit=3",
			"right_hand_limit=1"}},
		"timestamp of the create": {b, "", "contacts update", []string{"folder=" + f, "id=" + id, "timestamp=" + ts,
			`{"note":null}`}},
	} {
		t.Run(name, func(t *testing.T) {
			tc.b.t = t
			tc.b.want(tc.code, tc.op, tc.args...)
		})
	}
}

func TestHTTPContactValues(t *testing.T) {
	t.Parallel()
	b := as(t, school(t), "books")
	f := b.folder("Class")
	id, ts := b.contact(f, `"display_name":"A","birthday":1293148800000,"note":"","uid":"key-1"`)
	row := b.ok("contacts all", "folder="+f, "columns=1,20,500,511,518,519,5,6,223,602", "timezone=utc").rows()[0]
	want := []any{id, f, "A", 1293148800000.0, "", nil, nil, nil, "key-1", false}
	if row[6] != row[7] || fmt.Sprintf("%.0f", row[6]) != ts {
		t.Errorf("last modified %v and %v, want %s", row[6], row[7], ts)
	}
	row[6], row[7] = nil, nil
	if !slices.Equal(row, want) {
		t.Errorf("got  %v\nwant %v", row, want)
	}
	local := b.ok("contacts all", "folder="+f, "columns=5,6").rows()[0]
	if local[0].(float64)-local[1].(float64) != 3600000 {
		t.Errorf("without a time zone, column 5 must be local time: %v", local)
	}
	// null removes, "" is kept as a value, every write is a change.
	o := b.ok("contacts update", "folder="+f, "id="+id, "timestamp="+ts, `{"birthday":null,"display_name":"B"}`)
	if o.timestamp() <= ts {
		t.Errorf("timestamp %s after %s", o.timestamp(), ts)
	}
	m := b.ok("contacts get", "folder="+f, "id="+id)["data"].(map[string]any)
	if _, has := m["birthday"]; has || m["display_name"] != "B" || m["note"] != "" {
		t.Errorf("after the update: %v", m)
	}
	if n := len(b.ok("contacts updates", "folder="+f, "timestamp="+ts, "columns=1").rows()); n != 1 {
		t.Errorf("%d updates", n)
	}
}

func TestHTTPDeleteAllOrNothingPerFolder(t *testing.T) {
	t.Parallel()
	b := as(t, school(t), "books")
	f, g := b.folder("A"), b.folder("B")
	a1, _ := b.contact(f, `"display_name":"1"`)
	b1, _ := b.contact(g, `"display_name":"1"`)
	b2, _ := b.contact(g, `"display_name":"2"`)
	ref := func(folder, id string) string { return fmt.Sprintf(`{"folder":%q,"id":%q}`, folder, id) }
	const far = "timestamp=99999999999999"
	b.want("CON-0125", "contacts delete", far, perms(ref(f, a1), ref(g, b1), ref(g, "99999"), ref(g, b2)))
	if n := len(b.ok("contacts all", "folder="+f, "columns=1").rows()); n != 0 {
		t.Errorf("first folder: %d left", n)
	}
	if n := len(b.ok("contacts all", "folder="+g, "columns=1").rows()); n != 2 {
		t.Errorf("second folder: %d left", n)
	}
	o := b.ok("contacts delete", far, perms(ref(g, b1), ref(g, b2)))
	if fmt.Sprint(o["data"]) != "map[]" || o.timestamp() != "99999999999999" {
		t.Errorf("answer %v", o)
	}
}

func TestHTTPQuota(t *testing.T) {
	t.Parallel()
	b := as(t, school(t, oxtest.WithHTTP(&oxtest.HTTPOptions{ContactQuota: 6})), "books") // four users have entries
	f := b.folder("A")
	b.contact(f, `"display_name":"1"`)
	b.contact(f, `"display_name":"2"`)
	b.want("QUOTA-0003", "contacts new", fmt.Sprintf(`{"folder_id":%q,"display_name":"3"}`, f))
}

const twoAnnas = "Given name,Sur name,Display name,Email 1,Dynamic Field 1\n" +
	"Anna,Muster,Anna Muster 1,a1@x.example,k1\nAnna,Muster,Anna Muster 2,a2@x.example,k2\n"

func TestHTTPImport(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		text  string
		extra []string
		want  []string // codes per row, or the one of the file
		whole bool
	}{
		"two rows":      {twoAnnas, nil, []string{"", ""}, false},
		"unknown title": {"Given name,Shoe size\nA,38\n", nil, []string{"I_E-0803"}, false},
		"bad address":   {"Given name,Email 1\nA,a b@x\n", nil, []string{"I_E-1306"}, false},
		"bad date": {"Given name,Birthday\nA,31.31.2000\nB,24.12.2000\n", nil, []string{"CSV-1003", ""},
			false},
		"row without name":         {"Given name,Note\n,x\nB,\n", nil, []string{"I_E-0808", ""}, false},
		"semicolons":               {"Given name;Sur name\nA;B\n", nil, []string{""}, false},
		"German Outlook":           {"Vorname,Nachname,E-Mail-Adresse\nA,B,a@b.c\n", nil, []string{""}, false},
		"lower-case titles":        {"given name,sur name\nA,B\n", nil, []string{"I_E-0804"}, true},
		"no title of a name":       {"Note,Department\nA,B\n", nil, []string{"I_E-0807"}, true},
		"titles only":              {"Given name,Sur name\n", nil, []string{"I_E-1315"}, true},
		"empty file":               {"", nil, []string{"I_E-0804"}, true},
		"byte order mark":          {"\ufeffGiven name,Sur name\nA,B\n", nil, []string{""}, false},
		"unsupported charset":      {"Given name,Sur name\nA,B\n", []string{"charset=x"}, []string{"I_E-1318"}, true},
		"folder of the wrong kind": {twoAnnas, []string{"folder=2"}, []string{"I_E-0500"}, true},
		"two folders":              {twoAnnas, []string{"folder=1,2"}, []string{"I_E-0800"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := as(t, school(t), "books")
			f := b.folder("Class")
			status, body := b.upload("import", f, tc.text, append([]string{"force_json_response=true"}, tc.extra...)...)
			o := b.parse([]byte(body))
			if status != 200 {
				t.Fatalf("status %d", status)
			}
			if tc.whole {
				if o.code() != tc.want[0] {
					t.Errorf("got %v, want %v", o, tc.want)
				}
				return
			}
			written := 0
			for i, r := range o["data"].([]any) {
				row := object(r.(map[string]any))
				if row.code() != tc.want[i] {
					t.Errorf("row %d: %v, want %s", i, row, tc.want[i])
				}
				if row["id"] != nil {
					written++
					if row["folder_id"] != "con://0/"+f {
						t.Errorf("row %d: folder %v", i, row["folder_id"])
					}
				}
			}
			if n := len(b.ok("contacts all", "folder="+f, "columns=1").rows()); n != written {
				t.Errorf("%d contacts, %d rows have an id", n, written)
			}
		})
	}
	b := as(t, school(t), "tim")
	if _, body := b.upload("import", "6", twoAnnas, "plainJson=true"); b.parse([]byte(body)).code() != "I_E-0500" {
		t.Errorf("import without rights: %s", body)
	}
	if _, body := b.upload("import", "6", twoAnnas); !strings.HasPrefix(body, "<!DOCTYPE html>") ||
		!strings.Contains(body, `({"`) {
		t.Errorf("import without asking for JSON: %s", body)
	}
}

func TestHTTPImportTwice(t *testing.T) {
	t.Parallel()
	names := func(b *browser, f string) string {
		var out []string
		for _, r := range b.ok("contacts all", "folder="+f, "columns=500,571", "sort=1", "order=asc").rows() {
			out = append(out, fmt.Sprintf("%v %v", r...))
		}
		return strings.Join(out, "; ")
	}
	plain := as(t, school(t), "books")
	f := plain.folder("Class")
	for range 2 {
		plain.upload("import", f, twoAnnas)
	}
	if got, want := names(plain, f),
		"Anna Muster 1 k1; Anna Muster 2 k2; Anna Muster 1 k1; Anna Muster 2 k2"; got != want {
		t.Errorf("plain insert: %s", got)
	}

	fuzzy := as(t, school(t, oxtest.WithHTTP(&oxtest.HTTPOptions{FuzzyImport: true})), "books")
	f = fuzzy.folder("Class")
	fuzzy.upload("import", f, twoAnnas)
	if got, want := names(fuzzy, f), "Anna Muster 1 k1; Anna Muster 2 k2"; got != want {
		t.Errorf("first import: %s", got)
	}
	fuzzy.upload("import", f, twoAnnas)
	if got, want := names(fuzzy, f), "Anna Muster 1 k1; Anna Muster 2 k2"; got != want {
		t.Errorf("second import: %s", got)
	}
	// A namesake who joins later overwrites the one who is there.
	f = fuzzy.folder("Other class")
	first, rest, _ := strings.Cut(twoAnnas, "k1\n")
	fuzzy.upload("import", f, first+"k1\n")
	fuzzy.upload("import", f, twoAnnas)
	if got, want := names(fuzzy, f), "Anna Muster 2 k2"; got != want {
		t.Errorf("namesake: %s (rest %q)", got, rest)
	}
}

func TestHTTPImportLimitAndCut(t *testing.T) {
	t.Parallel()
	b := as(t, school(t, oxtest.WithHTTP(&oxtest.HTTPOptions{ImportLimit: 5})), "books")
	f := b.folder("Class")
	var text strings.Builder
	text.WriteString("Given name,Department\n")
	for i := range 9 {
		fmt.Fprintf(&text, "A%d,%s\n", i, strings.Repeat("d", 200))
	}
	_, body := b.upload("import", f, text.String(), "force_json_response=true")
	if n := len(b.parse([]byte(body))["data"].([]any)); n != 6 {
		t.Errorf("%d rows answered, want one more than the limit", n)
	}
	rows := b.ok("contacts all", "folder="+f, "columns=519").rows()
	if len(rows) != 6 || len(rows[0][0].(string)) != 128 {
		t.Errorf("%d rows, department of %d", len(rows), len(rows[0][0].(string)))
	}
}

func TestHTTPExport(t *testing.T) {
	t.Parallel()
	s := school(t)
	b, tim := as(t, s, "books"), as(t, s, "tim")
	f := b.folder("Class")
	b.upload("import", f, twoAnnas)
	b.contact(f, `"display_name":"all","mark_as_distributionlist":true,"distribution_list":[]`)
	get := func(b *browser, action, folder string) (int, string, string) {
		status, header, body := b.do("GET", "export", map[string][]string{"action": {action}, "folder": {folder},
			"columns": {"501,502,571"}, "session": {b.session}}, "", nil)
		return status, header.Get("Content-Type"), string(body)
	}
	status, contentType, body := get(tim, "CSV", f)
	if want := "Given name,Sur name,Dynamic Field 1\nAnna,Muster,k1\nAnna,Muster,k2\n"; status != 200 ||
		!strings.HasPrefix(contentType, "text/csv") || body != want {
		t.Errorf("export: %d %s %s", status, contentType, body)
	}
	if status, contentType, _ := get(tim, "CSV", "6"); status != 500 || !strings.HasPrefix(contentType, "text/html") {
		t.Errorf("export of a closed book: %d %s", status, contentType)
	}
	if status, _, body := get(tim, "VCARD", f); status != 200 || strings.Count(body, "BEGIN:VCARD") != 2 {
		t.Errorf("vCard: %d %s", status, body)
	}
}
