package escadatest

import (
	"bytes"
	"context"
	"encoding/csv"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// emptyClasses leaves everybody without a class, as an export does in summer or
// when a right to read them was lost.
func emptyClasses(e Export, p *escada.Profile) bool {
	known := map[string]bool{}
	for _, r := range records(e, p) {
		for _, m := range r.Memberships {
			for _, c := range m.Classes {
				known[c], known[string(m.School)+"-"+c] = true, true
			}
		}
	}
	return replaceValues(e, p, func(texts []string) bool {
		classes, filled := 0, 0
		for _, text := range texts {
			for x := range strings.SplitSeq(text, ",") {
				if x = strings.TrimSpace(x); x != "" {
					filled++
				}
				if known[x] {
					classes++
				}
			}
		}
		return classes > 0 && classes*2 >= filled
	}, func(string) string { return "" })
}

// reissueIDs gives everybody the id of another person, in all files, as after a
// source was set up anew.
func reissueIDs(e Export, p *escada.Profile) bool {
	all := records(e, p)
	next := map[string]string{}
	for i, r := range all {
		next[r.Key.ID] = all[(i+1)%len(all)].Key.ID
	}
	return len(all) > 1 && replaceValues(e, p, func(texts []string) bool {
		ids, filled := map[string]bool{}, 0
		for _, text := range texts {
			if text != "" {
				filled++
			}
			if next[text] != "" {
				ids[text] = true
			}
		}
		// A column of grades may have texts that are somebody's id, but few different ones.
		return len(ids) > 1 && len(ids)*4 >= filled
	}, func(text string) string {
		if id := next[text]; id != "" {
			return id
		}
		return text
	})
}

// records reads the people of an export; none if it cannot be read.
func records(e Export, p *escada.Profile) []schoolmail.Record {
	d, err := escada.Read(context.Background(), e.FS(), &escada.Options{Profile: p})
	if err != nil {
		return nil
	}
	return d.Records
}

// replaceValues replaces the texts of the columns, or XML elements, that are
// chosen by what stands in them, and reports whether there were any.
func replaceValues(e Export, p *escada.Profile, chosen func([]string) bool, replace func(string) string) bool {
	done := false
	for name, data := range e {
		change := replaceColumns
		if p.Format == escada.FormatXML {
			change = replaceElements
		}
		if out, ok := change(data, p, chosen, replace); ok {
			e[name], done = out, true
		}
	}
	return done
}

func replaceColumns(
	data []byte, p *escada.Profile, chosen func([]string) bool, replace func(string) string,
) ([]byte, bool) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, _ = utf8.DecodeRuneInString(cmpRune(p.Delimiter))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	rows, err := r.ReadAll()
	if err != nil || len(rows) < 2 {
		return nil, false
	}
	done := false
	for column := range rows[0] {
		var texts []string
		for _, row := range rows[1:] {
			if column < len(row) {
				texts = append(texts, row[column])
			}
		}
		if !chosen(texts) {
			continue
		}
		done = true
		for _, row := range rows[1:] {
			if column < len(row) {
				row[column] = replace(row[column])
			}
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = r.Comma, bytes.Contains(data, []byte("\r\n"))
	err = w.WriteAll(rows)
	return b.Bytes(), err == nil && done
}

var elementText = regexp.MustCompile(`<([\w:.-]+)>([^<>]*)</`)

func replaceElements(
	data []byte, _ *escada.Profile, chosen func([]string) bool, replace func(string) string,
) ([]byte, bool) {
	texts := map[string][]string{}
	for _, m := range elementText.FindAllSubmatch(data, -1) {
		texts[string(m[1])] = append(texts[string(m[1])], string(m[2]))
	}
	picked := map[string]bool{}
	for name, all := range texts {
		if chosen(all) {
			picked[name] = true
		}
	}
	out := elementText.ReplaceAllFunc(data, func(b []byte) []byte {
		m := elementText.FindSubmatch(b)
		if !picked[string(m[1])] {
			return b
		}
		return []byte("<" + string(m[1]) + ">" + replace(string(m[2])) + "</")
	})
	return out, len(picked) > 0
}
