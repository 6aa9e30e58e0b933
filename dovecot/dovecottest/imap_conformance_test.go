package dovecottest_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// imapTranscript replays an IMAP script and returns it with the answers.
//
//	= user      a new connection, logged in as the user
//	C: line     is sent with CRLF; then answers are read up to the tagged one,
//	            or after "{n}" up to "+", or after "{n+}" not at all
//	L: "text"   is sent as it is, a literal's bytes as a Go string
//	S: line     an answer
func imapTranscript(t *testing.T, file []byte, addr string) string {
	t.Helper()
	var out strings.Builder
	var c net.Conn
	var r *bufio.Reader
	var tag string
	stop := func() {
		if c != nil {
			c.Close()
		}
	}
	defer func() { stop() }()
	read := func() string {
		c.SetReadDeadline(time.Now().Add(20 * time.Second))
		s, err := r.ReadString('\n')
		if err != nil {
			return "closed"
		}
		s = strings.TrimRight(s, "\r\n")
		if m := reLiteral.FindStringSubmatch(s); m != nil {
			n, _ := strconv.Atoi(m[1])
			b := make([]byte, n)
			for i := range b {
				b[i], _ = r.ReadByte()
			}
			rest, _ := r.ReadString('\n')
			s += strconv.Quote(string(b)) + strings.TrimRight(rest, "\r\n")
		}
		return s
	}
	answers := func(tag string, plus bool) {
		var lines []string
		for {
			s := read()
			lines = append(lines, s)
			if s == "closed" || strings.HasPrefix(s, tag+" ") || plus && strings.HasPrefix(s, "+") ||
				strings.HasPrefix(s, "* BYE") {
				break
			}
		}
		lines = lines[:len(lines):len(lines)]
		sorted := slices.Clone(lines)
		slices.SortStableFunc(sorted, func(a, b string) int { // order of mailboxes means nothing
			if strings.HasPrefix(a, "* L") && strings.HasPrefix(b, "* L") {
				return strings.Compare(a, b)
			}
			return 0
		})
		for _, s := range sorted {
			out.WriteString("S: " + normaliseIMAP(s) + "\n")
		}
	}
	for line := range strings.Lines(string(file)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "S: ") {
			continue
		}
		out.WriteString(line + "\n")
		switch {
		case strings.HasPrefix(line, "= "):
			stop()
			var err error
			if c, err = net.Dial("tcp", addr); err != nil {
				t.Fatal(err)
			}
			r = bufio.NewReader(c)
			read()
			if user := line[2:]; user != "-" {
				fmt.Fprintf(c, "l LOGIN %s pw\r\n", user)
				if s := read(); !strings.HasPrefix(s, "l OK") && !strings.HasPrefix(s, "* CAPABILITY") {
					t.Fatalf("login as %s: %s", user, s)
				}
			}
		case strings.HasPrefix(line, "L: "):
			s, err := strconv.Unquote(line[3:])
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			c.Write([]byte(s))
		case strings.HasPrefix(line, "C:"):
			text := strings.TrimPrefix(strings.TrimPrefix(line, "C:"), " ")
			if tag == "" {
				tag, _, _ = strings.Cut(text, " ")
			}
			fmt.Fprintf(c, "%s\r\n", text)
			switch {
			case reLiteralPlus.MatchString(text):
			case reLiteral.MatchString(text) || strings.HasSuffix(text, " IDLE"):
				answers(tag, true)
				if strings.Contains(out.String()[strings.LastIndex(out.String(), "\nS: ")+1:], "S: "+tag) {
					tag = ""
				}
			default:
				answers(tag, false)
				tag = ""
			}
		}
	}
	return out.String()
}

var (
	reLiteral     = regexp.MustCompile(`\{(\d+)\}$`)
	reLiteralPlus = regexp.MustCompile(`\{(\d+)\+\}$`)
	// Texts for people are left out, codes for programs are not.
	reText        = regexp.MustCompile(`^(\S+ (OK|NO|BAD|BYE))( \[[^\]]*\])?.*`)
	reList        = regexp.MustCompile(`^(\* (?:LIST|LSUB) \()([^)]*)(\).*)`)
	reModSeq      = regexp.MustCompile(`MODSEQ( \(?)\d+`)
	reValidity    = regexp.MustCompile(`(UIDVALIDITY|APPENDUID|COPYUID) \d{9,}`)
	reCaps        = regexp.MustCompile(`CAPABILITY [^\]]*`)
	reNow         = regexp.MustCompile(`(INTERNALDATE|SAVEDATE) "..-...-20(2[5-9]|[3-9].)[^"]*"`)
	reXGUID       = regexp.MustCompile(`X-GUID [^ )]+`)
	reKeywordList = regexp.MustCompile(`(FLAGS|PERMANENTFLAGS) \((\\Answered \\Flagged \\Deleted \\Seen \\Draft)[^)]*?( ` +
		`\\\*)?\)`)
)

func normaliseIMAP(s string) string {
	s = reText.ReplaceAllString(s, "$1$3")
	if m := reList.FindStringSubmatch(s); m != nil {
		attrs := strings.Fields(m[2])
		slices.Sort(attrs)
		s = m[1] + strings.Join(attrs, " ") + m[3]
	}
	s = reModSeq.ReplaceAllString(s, "MODSEQ${1}N")
	s = reValidity.ReplaceAllString(s, "$1 N")
	s = reCaps.ReplaceAllString(s, "CAPABILITY ...")
	s = reNow.ReplaceAllString(s, `$1 "now"`)
	s = reXGUID.ReplaceAllString(s, "X-GUID N")
	s = reKeywordList.ReplaceAllString(s, "$1 ($2 ...$3)")
	return s
}

// TestIMAPConformance replays recorded IMAP sessions, like TestConformance.
func TestIMAPConformance(t *testing.T) {
	const file = "testdata/imap.txt"
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("real", func(t *testing.T) {
		t.Parallel()
		s := realServer(t)
		got := imapTranscript(t, want, s.IMAPAddr)
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
		got := imapTranscript(t, want, s.IMAPAddr)
		if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
			t.Errorf("the simulator differs from the recording (-recorded +simulator):\n%s", d)
		}
	})
}
