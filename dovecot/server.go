package dovecot

import (
	"context"
	"encoding/json"
	"net/http"
)

// ParamType is the type of a parameter as the server declares it.
type ParamType string

// The four types of the API.
const (
	Boolean ParamType = "boolean"
	Integer ParamType = "integer"
	String  ParamType = "string"
	Array   ParamType = "array" // of strings
)

// accepts reports whether the server takes the value for this type.
func (t ParamType) accepts(v any) bool {
	switch v.(type) {
	case bool:
		return t == Boolean
	case int, int64:
		return t == Integer || t == String
	case string:
		return t == String || t == Array
	case []string:
		return t == Array
	}
	return false
}

// ServerInfo is what the server says about itself.
type ServerInfo struct {
	// Series is "2.3" or "2.4", told apart by the commands on offer; the API
	// gives no version.
	Series string
	// Director and Sieve say whether director commands and Sieve scripts
	// (Pigeonhole) are on offer. A host offers director commands even when it
	// is none; they then end without an answer.
	Director, Sieve bool
	// Commands are the commands with their parameters.
	Commands map[string]map[string]ParamType
}

// Server returns what the server offers, by GET /doveadm/v1. The answer is
// kept for the life of the client.
func (c *Client) Server(ctx context.Context) (*ServerInfo, error) {
	o := op{call: Call{Command: "GET /doveadm/v1"}, again: true}
	select {
	case c.infoLock <- struct{}{}:
		defer func() { <-c.infoLock }()
	case <-ctx.Done():
		err := notSent(ctx, c.hosts[0])
		err.Op, err.again = o.call.Command, true
		return nil, err
	}
	if c.info != nil {
		return c.info, nil
	}
	data, serr := c.send(ctx, c.hosts[0], http.MethodGet, nil)
	if serr != nil {
		serr.Op, serr.again = o.call.Command, true
		return nil, serr
	}
	info, err := parseServerInfo(data)
	if err != nil {
		return nil, c.malformed(o, err)
	}
	c.info = info
	return info, nil
}

func parseServerInfo(data []byte) (*ServerInfo, error) {
	var list []struct {
		Command    string `json:"command"`
		Parameters []struct {
			Name string    `json:"name"`
			Type ParamType `json:"type"`
		} `json:"parameters"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	info := &ServerInfo{Series: "2.3", Commands: make(map[string]map[string]ParamType, len(list))}
	for _, cmd := range list {
		params := make(map[string]ParamType, len(cmd.Parameters))
		for _, p := range cmd.Parameters {
			params[p.Name] = p.Type
		}
		info.Commands[cmd.Command] = params
	}
	if _, ok := info.Commands["indexerList"]; ok {
		info.Series = "2.4"
	}
	_, info.Director = info.Commands["directorStatus"]
	_, info.Sieve = info.Commands["sieveList"]
	return info, nil
}
