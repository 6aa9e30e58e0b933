package appsuite

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// multipleEcho answers every item by what item does with it.
func multipleEcho(t *testing.T, item func(m map[string]any) string) func(*http.Request, string) fakeAnswer {
	return func(r *http.Request, body string) fakeAnswer {
		if r.URL.Query().Get("continue") != "true" {
			t.Error("continue not asked for")
		}
		var items []map[string]any
		if err := json.Unmarshal([]byte(body), &items); err != nil {
			t.Error(err)
		}
		var out []string
		for _, m := range items {
			if m["session"] != nil {
				t.Error("session inside an item")
			}
			out = append(out, item(m))
		}
		return ok("[" + strings.Join(out, ",") + "]")
	}
}

func creates(n int) []Op {
	var ops []Op
	for i := range n {
		ops = append(ops, CreateContact{Folder: "33", Fields: Fields{DisplayName: fmt.Sprint(i)}})
	}
	return ops
}

func TestWriteReportsEachItem(t *testing.T) {
	t.Parallel()
	f := &fakeServer{}
	f.handle = map[string]func(*http.Request, string) fakeAnswer{
		"multiple": multipleEcho(t, func(m map[string]any) string {
			switch data, _ := m["data"].(map[string]any); {
			case m["action"] == "new" && data["display_name"] == "1":
				return `{"error":"x","categories":"PERMISSION_DENIED","code":"CON-0112"}`
			case m["action"] == "new":
				return fmt.Sprintf(`{"data":{"id":%s},"timestamp":9}`, data["display_name"])
			case m["action"] == "update" && m["id"] == "8":
				return `{"error":"x","categories":"CONFLICT","code":"CON-0119"}`
			case m["action"] == "update" && m["id"] == "9":
				return `{"error":"x","categories":"USER_INPUT","code":"CON-0122"}` // nothing changed
			case m["action"] == "delete":
				return `{"data":{},"timestamp":9}`
			}
			t.Errorf("unexpected item %v", m)
			return "{}"
		}),
	}
	s := f.session(t, Options{BatchSize: 3})
	ops := append(creates(4),
		UpdateContact{Folder: "33", ID: "8", Timestamp: 5, Fields: Fields{Department: ""}},
		UpdateContact{Folder: "33", ID: "9", Timestamp: 5},
		UpdateContact{Folder: "33", ID: "9"}, // no timestamp: never sent
		DeleteContact{Folder: "33", ID: "9", Timestamp: Unconditional},
	)
	got, err := s.Write(t.Context(), ops)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		id  ContactID
		err error
	}{{"0", nil}, {"", ErrPermission}, {"2", nil}, {"3", nil}, {"", ErrConflict}, {"9", nil}, {"", ErrInvalid}, {"9", nil}}
	for i, w := range want {
		if got[i].Contact != w.id || !errors.Is(got[i].Err, w.err) {
			t.Errorf("op %d: got %+v, want %+v", i, got[i], w)
		}
	}
	if n := f.count("multiple"); n != 3 {
		t.Errorf("%d requests for 7 items of 3 each", n)
	}
	if st := s.c.Stats(); st.Items["contacts new"] != 4 || st.Items["contacts update"] != 2 || st.Total() != 4 {
		t.Errorf("stats %+v", st)
	}
	if body := f.bodies["multiple"][1]; !strings.Contains(body, `"department":null`) {
		t.Errorf("clearing a field must send null: %s", body)
	}
}

func TestWriteStopsAfterLostAnswer(t *testing.T) {
	t.Parallel()
	n := 0
	f := &fakeServer{}
	echo := multipleEcho(t, func(map[string]any) string { return `{"data":{"id":"1"}}` })
	f.handle = map[string]func(*http.Request, string) fakeAnswer{
		"multiple": func(r *http.Request, body string) fakeAnswer {
			if n++; n == 2 {
				return fakeAnswer{err: io.ErrUnexpectedEOF}
			}
			return echo(r, body)
		},
	}
	s := f.session(t, Options{BatchSize: 2})
	got, err := s.Write(t.Context(), creates(6))
	if !errors.Is(err, ErrUncertain) {
		t.Errorf("error %v", err)
	}
	for i, want := range []error{nil, nil, ErrUncertain, ErrUncertain, ErrNotSent, ErrNotSent} {
		if !errors.Is(got[i].Err, want) {
			t.Errorf("op %d: %v, want %v", i, got[i].Err, want)
		}
	}
	if n != 2 {
		t.Errorf("%d requests", n)
	}
}

func TestWriteRepeatsItemsOfExpiredSession(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		whole bool // the whole request is refused
		want  int  // items sent in all
	}{"whole request": {true, 8}, "some items": {false, 6}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{}
			sent := 0
			f.handle = map[string]func(*http.Request, string) fakeAnswer{
				"multiple": func(r *http.Request, body string) fakeAnswer {
					if f.logins == 1 && tc.whole {
						sent += 4
						return ok(expired)
					}
					return multipleEcho(t, func(m map[string]any) string {
						sent++
						if name := m["data"].(map[string]any)["display_name"]; f.logins == 1 && (name == "2" || name == "3") {
							return expired
						}
						return `{"data":{"id":"1"}}`
					})(r, body)
				},
			}
			s := f.session(t, Options{})
			got, err := s.Write(t.Context(), creates(4))
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range got {
				if r.Err != nil {
					t.Errorf("op %d: %v", i, r.Err)
				}
			}
			if sent != tc.want || f.logins != 2 {
				t.Errorf("%d items sent, %d logins", sent, f.logins)
			}
		})
	}
}

func TestWriteOddAnswers(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"too few answers": `[{"data":{"id":"1"}}]`,
		"html":            `<html></html>`,
		"empty":           ``,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
				"multiple": func(*http.Request, string) fakeAnswer { return ok(body) },
			}}
			got, err := f.session(t, Options{}).Write(t.Context(), creates(2))
			if err == nil || !errors.Is(got[0].Err, ErrUncertain) || !errors.Is(got[1].Err, ErrUncertain) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
		"multiple": func(*http.Request, string) fakeAnswer { return ok(`[{"data":{}},7]`) },
	}}
	got, err := f.session(t, Options{}).Write(t.Context(), creates(2))
	if err != nil || !errors.Is(got[0].Err, ErrUncertain) || !errors.Is(got[1].Err, ErrUncertain) {
		t.Errorf("items without id: %v, %v", got, err)
	}
}

func TestDeleteFolderReportsWhatIsLeft(t *testing.T) {
	t.Parallel()
	f := &fakeServer{handle: map[string]func(*http.Request, string) fakeAnswer{
		"folders delete": func(*http.Request, string) fakeAnswer {
			return ok(`{"data":["187"],"error":"x","categories":"WARNING","category":13,"code":"FLD-0032"}`)
		},
	}}
	err := f.session(t, Options{}).DeleteFolder(t.Context(), DeleteFolder{ID: "187"})
	if e, _ := errors.AsType[*Error](err); !errors.Is(err, ErrPermission) || e.Code != "FLD-0032" ||
		e.Op != "folders delete" {
		t.Errorf("got %v", err)
	}
}

func TestEmptyPermissionsAreRefused(t *testing.T) {
	t.Parallel()
	f := &fakeServer{}
	s := f.session(t, Options{})
	if _, err := s.CreateFolder(t.Context(), CreateFolder{Parent: "2", Title: "x"}); !errors.Is(err, ErrInvalid) {
		t.Errorf("create: %v", err)
	}
	if _, err := s.UpdateFolder(t.Context(), UpdateFolder{ID: "2", Permissions: []Permission{}}); !errors.Is(err,
		ErrInvalid) {
		t.Errorf("update: %v", err)
	}
}
