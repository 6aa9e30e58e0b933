package appsuite

import (
	"testing"
)

func TestEnvelope(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		body  string
		fatal bool
		kind  Kind // "" for no problem at all
		data  string
	}{
		"success": {`{"data":{"id":"7"},"timestamp":5}`, false, "", `{"id":"7"}`},
		"error": {`{"error":"x","categories":"CONFLICT","category":9,"code":"CON-0119"}`, true,
			ErrConflict, ""},
		"categories as list": {`{"error":"x","categories":["USER_INPUT","ERROR"],"code":"XYZ-0001"}`, true,
			ErrInvalid, ""},
		"warning": {`{"data":[],"error":"x","categories":"WARNING","category":13,"code":"FLD-0091"}`,
			false, ErrOther, `[]`},
		"warning without name":    {`{"data":[],"error":"x","category":13,"code":"FLD-0091"}`, false, ErrOther, `[]`},
		"warning among others":    {`{"error":"x","categories":["WARNING","ERROR"],"code":"XYZ-0001"}`, true, ErrOther, ""},
		"error without category":  {`{"error":"x","code":"CON-0104"}`, true, ErrPermission, ""},
		"unknown code, try again": {`{"error":"x","categories":"TRY_AGAIN","code":"XYZ-0001"}`, true, ErrUnavailable, ""},
		"unknown code, permission": {`{"error":"x","categories":"PERMISSION_DENIED","code":"XYZ-0001"}`, true,
			ErrPermission, ""},
		"unknown code, truncated": {`{"error":"x","categories":"TRUNCATED","code":"XYZ-0001"}`, true, ErrTooLong, ""},
		"numbers as text":         {`{"data":1,"timestamp":"17"}`, false, "", `1`},
		"callback": {"<html><script>(parent[\"callback_import\"])({\"data\":[1]})</script></html>", false,
			"", `[1]`},
		"callback with odd content": {"<html>callback_import({\"data\":\"a})b({\"})</html>", false, "", `"a})b({"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := parseEnvelope([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			problem, fatal := e.problem()
			kind := Kind("")
			if problem != nil {
				kind = problem.Kind
			}
			if fatal != tc.fatal || kind != tc.kind || string(e.Data) != tc.data {
				t.Errorf("got fatal %v, kind %q, data %s", fatal, kind, e.Data)
			}
		})
	}
	for _, bad := range []string{"", "<html></html>", "[1]", `{"data":`, `x({y})`, "null", `{"categories":{}}`} {
		if _, err := parseEnvelope([]byte(bad)); err == nil {
			t.Errorf("%q was taken for an answer", bad)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	f.Add([]byte(`{"data":[["1","33",3,17,0,false,"Anna",null]],"timestamp":5}`))
	f.Add([]byte(`{"data":[[1,33,3,17.0,null,"true","",{}]],"error":"x","categories":["WARNING"]}`))
	f.Add([]byte(`callback_import({"data":[{"id":"1","last_modified":5}]})`))
	f.Add([]byte(`{"data":{"id":7,"folder_id":"33","birthday":0,"distribution_list":[{"mail":"a@b","mail_field":"0"}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := parseEnvelope(body)
		if err != nil {
			return
		}
		e.problem()
		cols := []Column{DisplayName, Birthday, DistributionList}
		rows, err := parseRows(e.Data, len(contactColumns)+len(cols))
		if err == nil {
			for _, r := range rows {
				if c, err := contactRow(r, cols); err == nil && c.ID == "" {
					t.Error("a contact without id")
				}
			}
		}
		if c, err := parseContact(e.Data); err == nil && c.ID == "" {
			t.Error("a contact without id")
		}
		if rows, err := parseRows(e.Data, len(folderColumns)); err == nil {
			for _, r := range rows {
				folderRow(r)
			}
		}
		if rows, err := parseRows(e.Data, len(userColumns)); err == nil {
			for _, r := range rows {
				userRow(r)
			}
		}
		if rows, err := parseRows(e.Data, len(groupColumns)); err == nil {
			for _, r := range rows {
				groupRow(r)
			}
		}
	})
}
