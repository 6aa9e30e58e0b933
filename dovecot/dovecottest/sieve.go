package dovecottest

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// sieveCommands are those that Pigeonhole adds to the server's list.
const sieveCommands = `sieveList mail
sieveGet mail scriptname:s
sievePut mail activate:b scriptname:s file:s
sieveDelete mail ignoreActive:b scriptname:a
sieveActivate mail scriptname:s
sieveDeactivate mail
sieveRename mail oldname:s newname:s
`

// script is the name that a command is about; without one that can be one the process ends.
func (c *mailContext) script() (string, error) {
	name := c.str("scriptname")
	if !c.has("scriptname") || !scriptName(name) {
		return "", errDied
	}
	return name, nil
}

func scriptName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= 255 && !strings.ContainsAny(name, "/\u2028\u2029") &&
		!strings.ContainsFunc(name, unicode.IsControl)
}

func sieveList(_ *Server, c *mailContext) ([]row, error) {
	var rows []row
	for _, name := range sortedKeys(c.st.scripts) {
		active := ""
		if name == c.st.active {
			active = "ACTIVE"
		}
		rows = append(rows, row{{"script", name}, {"active", active}})
	}
	return rows, nil
}

func sieveGet(_ *Server, c *mailContext) ([]row, error) {
	name, err := c.script()
	if err != nil {
		return nil, err
	}
	text, ok := c.st.scripts[name]
	if !ok {
		return nil, exit(68)
	}
	return []row{{{"sieve script", text}}}, nil
}

func sievePut(s *Server, c *mailContext) ([]row, error) {
	name, err := c.script()
	if err != nil {
		return nil, err
	}
	if !c.has("file") {
		return nil, errDied
	}
	if why := sieveMistake(c.str("file")); why != "" {
		s.logf("sieve: %s: %s", name, why)
		return nil, exit(65)
	}
	c.st.scripts[name] = c.str("file")
	if c.flag("activate") {
		c.st.active = name
	}
	return nil, nil
}

// sieveDelete tries all names; the last failure is the answer.
func sieveDelete(_ *Server, c *mailContext) ([]row, error) {
	if len(c.list("scriptname")) == 0 {
		return nil, errDied
	}
	var err error
	for _, name := range c.list("scriptname") {
		_, ok := c.st.scripts[name]
		switch {
		case !scriptName(name):
			return nil, errDied
		case !ok:
			err = exit(68)
		case name == c.st.active && !c.flag("ignoreActive"):
			err = exit(65)
		default:
			delete(c.st.scripts, name)
			if name == c.st.active {
				c.st.active = ""
			}
		}
	}
	return nil, err
}

func sieveActivate(_ *Server, c *mailContext) ([]row, error) {
	name, err := c.script()
	if err != nil {
		return nil, err
	}
	if _, ok := c.st.scripts[name]; !ok {
		return nil, exit(68)
	}
	c.st.active = name
	return nil, nil
}

func sieveDeactivate(_ *Server, c *mailContext) ([]row, error) {
	c.st.active = ""
	return nil, nil
}

// sieveExtensions tell which words need which extension to be required.
var sieveExtensions = map[string]string{"vacation": "vacation", "currentdate": "date", ":value": "relational",
	"fileinto": "fileinto"}

// sieveMistake says what a script does not compile for, or "". It knows strings, comments,
// brackets, ends of commands, and the few extensions above; of anything else it believes
// that it is right.
func sieveMistake(text string) string {
	tokens, why := sieveTokens(text)
	if why != "" {
		return why
	}
	required := sieveRequired(tokens)
	for _, x := range required {
		if !slices.Contains([]string{"relational", "date", "vacation", "fileinto", "copy"}, x) {
			return "unknown Sieve capability `" + x + "'"
		}
	}
	var open []string
	before := ";"
	for _, t := range tokens {
		ended := before == ";" || before == "{" || before == "}"
		switch t {
		case "{", "[", "(":
			open = append(open, t)
		case "}", "]", ")":
			if len(open) == 0 || open[len(open)-1]+t != pairs[t] || t == "}" && !ended {
				return "unexpected " + t
			}
			open = open[:len(open)-1]
		case ";":
			if len(open) > 0 && open[len(open)-1] != "{" {
				return "unexpected ;"
			}
		}
		if x := sieveExtensions[t]; x != "" && !slices.Contains(required, x) {
			return "unknown " + t
		}
		before = t
	}
	if len(open) > 0 || before != ";" && before != "}" {
		return "expected end of command ';' or the beginning of a compound block '{', but found end of file"
	}
	return ""
}

// sieveRequired lists the extensions that a script requires.
func sieveRequired(tokens []string) (list []string) {
	inside := false
	for _, t := range tokens {
		inside = t == "require" || inside && t != ";"
		if inside && strings.HasPrefix(t, `"`) {
			list = append(list, strings.Trim(t, `"`))
		}
	}
	return list
}

var pairs = map[string]string{"}": "{}", "]": "[]", ")": "()"}

// sieveTokens takes a script apart; strings keep their quotes.
func sieveTokens(s string) (tokens []string, why string) {
	for s != "" {
		n := 1
		switch c := s[0]; {
		case c == '#':
			if n = strings.IndexByte(s, '\n') + 1; n == 0 {
				n = len(s)
			}
		case c == '"':
			for n < len(s) && s[n] != '"' {
				if s[n] == '\\' {
					n++
				}
				n++
			}
			if n++; n > len(s) {
				return nil, "end of file in a string"
			}
			tokens = append(tokens, s[:n])
		case strings.IndexByte("{}[]();,", c) >= 0:
			tokens = append(tokens, s[:1])
		case c > ' ':
			for n < len(s) && s[n] > ' ' && strings.IndexByte("{}[]();,\"#", s[n]) < 0 {
				n++
			}
			tokens = append(tokens, s[:n])
		}
		s = s[n:]
	}
	return tokens, ""
}
