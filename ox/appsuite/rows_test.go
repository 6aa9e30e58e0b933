package appsuite

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRows has the forms of list answers that were seen on OX 8.20.
func TestRows(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		data    string
		rows    [][]string
		deleted []string
		bad     bool
		badList bool // where nothing can be deleted
	}{
		"as asked":          {data: `[["57","6"],["58","6"]]`, rows: [][]string{{`"57"`, `"6"`}, {`"58"`, `"6"`}}},
		"empty":             {data: `[]`},
		"four columns more": {data: `[["57","6",null,null,null,null]]`, rows: [][]string{{`"57"`, `"6"`}}},
		"rows and ids of deleted": {data: `[["57","6"],"2","4",12]`, rows: [][]string{{`"57"`, `"6"`}},
			deleted: []string{"2", "4", "12"}, badList: true},
		"only ids":                   {data: `["2"]`, deleted: []string{"2"}, badList: true},
		"a column too few":           {data: `[["57","6"],["58"]]`, bad: true},
		"an empty row":               {data: `[[]]`, bad: true},
		"null as a row":              {data: `[["57","6"],null]`, bad: true},
		"an object as a row":         {data: `[{"id":"57"}]`, bad: true},
		"no list, which is no empty": {data: `null`, bad: true},
		"an object":                  {data: `{}`, bad: true},
		"nothing":                    {data: ``, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rows, deleted, err := Rows(json.RawMessage(tt.data), 2)
			if (err != nil) != tt.bad || !tt.bad && !cmp.Equal(tt.rows, texts(rows)) || !cmp.Equal(tt.deleted, deleted) {
				t.Errorf("Rows: %s, %s, %v", rows, deleted, err)
			}
			rows, err = parseRows(json.RawMessage(tt.data), 2)
			if bad := tt.bad || tt.badList; (err != nil) != bad || !bad && !cmp.Equal(tt.rows, texts(rows)) {
				t.Errorf("parseRows: %s, %v", rows, err)
			}
		})
	}
}

func texts(rows [][]json.RawMessage) (out [][]string) {
	for _, r := range rows {
		var row []string
		for _, c := range r {
			row = append(row, string(c))
		}
		out = append(out, row)
	}
	return out
}
