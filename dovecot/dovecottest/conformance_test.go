package dovecottest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/dovecottest"
	"github.com/ictmedia/schoolmail/internal/dovecotd"
	"github.com/ictmedia/schoolmail/internal/testlife"
)

var update = flag.Bool("update", false, "record testdata/*.txt from the real Dovecot")

// transcript replays the requests of a file ("> ...") and returns the file with
// the answers ("< ...") that the server gives.
func transcript(t *testing.T, file []byte, url, key, mailRoot string) string {
	t.Helper()
	var out strings.Builder
	n := &normaliser{root: mailRoot, guids: map[string]string{}}
	for line := range strings.Lines(string(file)) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "< "):
		case strings.HasPrefix(line, "> "):
			body := n.request(line[2:])
			fmt.Fprintf(&out, "%s\n< %s\n", line, n.answer(dovecotd.Post(t, url, key, body), line))
		default:
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

// normaliser replaces what differs from run to run, and sorts rows whose order
// means nothing.
type normaliser struct {
	root  string
	guids map[string]string
}

var (
	reGUID  = regexp.MustCompile(`"[0-9a-f]{32}"`)
	reStamp = regexp.MustCompile(`"(uidvalidity|firstsaved|date\.saved\.unixtime|date\.received\.unixtime)":"[0-9]+"`)
	reDate  = regexp.MustCompile(`"(date\.saved|date\.received)":"[-0-9: ]+"`)
	reParse = regexp.MustCompile(`^(400 JSON parse error: ).*`)
	reMsgID = regexp.MustCompile(`"guid":"[^"]*"`)
)

func (n *normaliser) request(s string) string { return strings.ReplaceAll(s, "$MAIL", n.root) }

func (n *normaliser) answer(s, request string) string {
	s = strings.ReplaceAll(s, n.root, "$MAIL")
	s = reStamp.ReplaceAllString(s, `"$1":"N"`)
	s = reDate.ReplaceAllString(s, `"$1":"N"`)
	s = reGUID.ReplaceAllStringFunc(s, func(g string) string {
		if n.guids[g] != "" {
			return n.guids[g]
		}
		return g
	})
	s = reParse.ReplaceAllString(s, "$1...")
	if strings.Contains(request, `["fetch"`) {
		s = reMsgID.ReplaceAllString(s, `"guid":"N"`)
	}
	if strings.Contains(request, `["user"`) {
		s = sortFields(s)
	}
	if !strings.Contains(request, `["fetch"`) && !strings.Contains(request, `["quotaGet"`) {
		s = sortRows(s)
	}
	s = reGUID.ReplaceAllStringFunc(s, func(g string) string {
		if n.guids[g] == "" {
			n.guids[g] = fmt.Sprintf(`"GUID%d"`, len(n.guids)+1)
		}
		return n.guids[g]
	})
	return s
}

// sortRows sorts the rows of a well-formed answer by their text.
func sortRows(s string) string {
	var list [][]json.RawMessage
	if json.Unmarshal([]byte(s), &list) != nil {
		return s
	}
	for _, a := range list {
		var rows []json.RawMessage
		if json.Unmarshal(a[1], &rows) != nil {
			continue
		}
		// New GUIDs are random and must not decide the order.
		slices.SortStableFunc(rows, func(a, b json.RawMessage) int {
			return bytes.Compare(reGUID.ReplaceAll(a, nil), reGUID.ReplaceAll(b, nil))
		})
		a[1] = raw(rows)
	}
	return string(raw(list))
}

// sortFields orders the fields of userdb answers and hides the system user.
func sortFields(s string) string {
	var list [][]any
	if json.Unmarshal([]byte(s), &list) != nil {
		return s
	}
	for _, a := range list {
		users, ok := a[1].(map[string]any)
		if !ok {
			continue
		}
		for _, u := range users {
			if f, ok := u.(map[string]any); ok && f["uid"] != nil {
				f["uid"], f["gid"] = "N", "N"
			}
		}
		if names, ok := users["userList"].([]any); ok {
			slices.SortFunc(names, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
		}
	}
	return string(raw(list))
}

func raw(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.Encode(v)
	return bytes.TrimSpace(b.Bytes())
}

var testUsers = []string{"anna@school.test", "bea@school.test", "carl@school.test", "dora@school.test",
	"emil@school.test", "fritz@school.test", "gerda@school.test"}

func simulator(t *testing.T, opts ...dovecottest.Option) *dovecottest.Server {
	t.Helper()
	opts = append([]dovecottest.Option{dovecottest.WithMailboxes(
		dovecottest.Mailbox{Name: "Sent", SpecialUse: `\Sent`, Auto: "subscribe"},
		dovecottest.Mailbox{Name: "Drafts", SpecialUse: `\Drafts`, Auto: "create"},
		dovecottest.Mailbox{Name: "Trash", SpecialUse: `\Trash`},
	), dovecottest.WithQuota(100 << 20), dovecottest.WithQuotaDict("proxy::quota")}, opts...)
	s := testlife.Of(dovecottest.Start(opts...))(t)
	for _, u := range testUsers {
		s.SetUsers(dovecottest.User{Name: u, Password: "pw"})
	}
	s.SetUsers(dovecottest.User{Name: "full@school.test", Password: "pw", QuotaBytes: 100})
	return s
}

func realServer(t *testing.T) *dovecotd.Server {
	t.Helper()
	cfg := &dovecotd.Config{
		QuotaRule: "*:storage=100M",
		ACL:       true,
		QuotaDict: true,
		Mailboxes: []dovecotd.Mailbox{
			{Name: "Sent", SpecialUse: `\Sent`, Auto: "subscribe"},
			{Name: "Drafts", SpecialUse: `\Drafts`, Auto: "create"},
			{Name: "Trash", SpecialUse: `\Trash`},
		},
	}
	for _, u := range testUsers {
		cfg.Users = append(cfg.Users, dovecotd.User{Name: u, Password: "pw"})
	}
	cfg.Users = append(cfg.Users, dovecotd.User{Name: "full@school.test", Password: "pw", QuotaRule: "*:bytes=100"})
	return dovecotd.Start(t, cfg)
}

// TestConformance replays what was recorded from Dovecot 2.3.19.1, against the
// simulator, and against the real server where there is one.
func TestConformance(t *testing.T) {
	const file = "testdata/doveadm.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		s := realServer(t)
		got := transcript(t, want, s.URL, s.APIKey, s.Dir+"/mail")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			return
		}
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("the real server differs from the recording (-recorded +real):\n%s", d)
		}
	})
	t.Run("simulator", func(t *testing.T) {
		if *update {
			t.Skip("recording")
		}
		t.Parallel()
		s := simulator(t)
		got := transcript(t, want, s.URL, s.APIKey, s.MailRoot)
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("the simulator differs from the recording (-recorded +simulator):\n%s", d)
		}
	})
}
