package udm

import "strconv"

// text returns a single value. UDM has some numbers as texts and some texts as
// numbers.
func (p Properties) text(name string) string {
	switch v := p[name].(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

func (p Properties) number(name string) int {
	switch v := p[name].(type) {
	case float64:
		return int(v)
	case int:
		return v
	case string:
		n, _ := strconv.Atoi(v)
		return n
	}
	return 0
}

func (p Properties) flag(name string) bool {
	switch v := p[name].(type) {
	case bool:
		return v
	case string:
		return v == "1" || v == "OK" || v == "True" || v == "TRUE"
	}
	return false
}

func (p Properties) list(name string) []string {
	switch v := p[name].(type) {
	case []string:
		return v
	case string:
		if v != "" {
			return []string{v}
		}
	case []any:
		var out []string
		for _, x := range v {
			if s, ok := x.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}
