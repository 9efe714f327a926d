// Writes vectors.ndjson: V1 images, and what docker's own code makes of them.
//
//	GOTOOLCHAIN=go1.21.13 go run -mod=mod . > vectors.ndjson
//
// The version of Go counts: from 1.22 on it writes some control characters otherwise than the Go that docker 20.10 is built with.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/docker/docker/image"
	v1 "github.com/docker/docker/image/v1"
	"github.com/docker/docker/layer"
	"github.com/opencontainers/go-digest"
)

type vector struct {
	Images []string `json:"images"`
	Config string   `json:"config,omitempty"`
	Error  string   `json:"error,omitempty"`
}

// The layer of the image at each place has the diff id of these bytes.
func diffID(place int) layer.DiffID {
	return layer.DiffID(digest.FromString(fmt.Sprintf("layer %d", place)))
}

func convert(images []string) ([]byte, error) {
	rootfs := image.NewRootFS()
	history := []image.History{}
	for place, text := range images {
		h, err := v1.HistoryFromConfig([]byte(text), false)
		if err != nil {
			return nil, err
		}
		history = append(history, h)
		rootfs.Append(diffID(place))
	}
	// What it cannot write of the history it leaves out, and the image is one that docker refuses.
	if _, err := json.Marshal(history); err != nil {
		return nil, err
	}
	return v1.MakeConfigFromV1Config([]byte(images[len(images)-1]), rootfs, history)
}

func main() {
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	write := func(images ...string) {
		found := vector{Images: images}
		config, err := convert(images)
		if err != nil {
			found.Error = err.Error()
		} else {
			found.Config = string(config)
		}
		if err := out.Encode(found); err != nil {
			panic(err)
		}
	}
	base := `{"id":"aa","created":"2013-03-23T22:24:18.818426-07:00","container_config":{"Cmd":null}}`
	for place, text := range handMade() {
		write(text)
		if place%25 == 0 {
			write(base, text)
		}
	}
	dice := dice{state: 20131023}
	for i := 0; i < 120; i++ {
		write(dice.image(), dice.image(), dice.image())
	}
}

// Each member on its own, in an image before 1.8.3 and in one after it.
func handMade() []string {
	texts := []string{
		`{}`,
		`{"id":"aa","created":"2013-03-23T22:24:18.818426-07:00"}`,
		` { "docker_version" : "1.9.1" , "big" : 12345678901234567890 , "one" : 1.0 , "list" : [ 1 , { "a" : null } ] , "\u0062" : "\/\u00e9<>&" } `,
		`{"docker_version":"1.9.1","a":1,"a":2,"Z":{"b":1, "a":2},"z":"x","\ud83d\udc0b":1,"\uff5e":2,"é":null,"\ud800":true}`,
		`{"docker_version":"1.9.1","Docker_Version":"1.2.0","x":1}`,
		`{"Docker_Version":"1.9.1","x":1}`,
		`{"docker_version":null,"x":1}`,
		`{"docker_version":7}`,
		`{"id":"aa","parent":"bb","Size":5,"parent_id":"cc","layer_id":"dd","throwaway":true,"size":9,"docker_version":"1.10.0"}`,
		`{"id":"aa","parent":"bb","Size":5,"parent_id":"cc","layer_id":"dd","throwaway":true,"size":9,"docker_version":"1.5.0"}`,
		`{"config":{"Hostname":"a"},"Config":{"Domainname":"b","Env":["A=1"]},"CONFIG":{"hostname":"c"}}`,
		`{"config":{"Labels":{"a":"1"},"labels":{"b":"2","a":"3"}},"rootfs":1,"history":2}`,
		`{"config":{"Labels":{"a":"1"}},"Config":null}`,
		`{"config":{"Labels":null},"config":{"Labels":{"a":null}}}`,
		`{"config":{"Env":["A=1","B=2"],"env":["C=3"]}}`,
		`{"config":{"u\u017fer":"long s","Entrypoint":["x"],"\u212aey":1}}`,
		`{"docker_version":"1.9.1","rootfs":{"type":"x"},"history":[1],"os":"linux","architecture":"amd64"}`,
		`{"docker_version":"1.9.1","config":{"Labels":{"maintainer":"A <a@b.c> & co","x":"\u2028\u2029"}},"comment":"\u2028 \b\f\u0001\u007f"}`,
		`{"docker_version":"1.2.0","author":"A <a@b.c> & co","comment":"\u2028 \b\f\u0001\u007f \ud83d\udc0b \ud83d"}`,
	}
	for _, version := range []string{"", "0.6.3", "1.8.2", "1.8.3", "1.8.3-rc1", "1.8", "1.9", "1.10.0", "2", "1.8.2.9", "1.8.3.1", "1.08.03", "x", "1.x.5", "01.8.3", "1.8.-3", "1.8.+3", "17.05.0-ce", "99999999999999999999", "1. 9", "1.8.3 "} {
		texts = append(texts, fmt.Sprintf(`{"docker_version":%q,"unknown":{"b":1.0},"os":"linux"}`, version))
	}
	for _, created := range times {
		texts = append(texts, fmt.Sprintf(`{"created":%s}`, created), fmt.Sprintf(`{"created":%s,"docker_version":"1.9.1"}`, created))
	}
	for _, name := range configNames {
		for _, value := range values {
			texts = append(texts, fmt.Sprintf(`{"config":{%q:%s},"docker_version":"1.2.0"}`, name, value))
		}
	}
	for _, name := range []string{"id", "parent", "comment", "container", "container_config", "author", "config", "architecture", "variant", "os", "Size", "os.version"} {
		for _, value := range values {
			texts = append(texts, fmt.Sprintf(`{%q:%s}`, name, value))
		}
		texts = append(texts, fmt.Sprintf(`{%q:%s,"docker_version":"1.9.1"}`, name, `"x"`))
	}
	for _, command := range []string{`null`, `[]`, `"one string"`, `["/bin/sh","-c","#(nop) ADD file:x in / \u0026 <y>"]`, `[null,"a"]`, `["a",1]`, `""`, `["","b",""]`} {
		for _, version := range []string{"1.2.0", "1.9.1"} {
			texts = append(texts, fmt.Sprintf(`{"container_config":{"Cmd":%s},"config":{"Cmd":%s},"docker_version":%q}`, command, command, version))
		}
	}
	return texts
}

var times = []string{
	`"2013-03-23T22:24:18.818426-07:00"`, `"2014-10-01T20:46:07.263351912Z"`, `"2014-10-01T20:46:07.100000000Z"`, `"2014-10-01T20:46:07.000Z"`,
	`"2014-10-01T20:46:07.1234567891234Z"`, `"2014-10-01T20:46:07+00:00"`, `"2014-10-01T20:46:07-00:00"`, `"2014-10-01T20:46:07+05:45"`,
	`"2014-10-01T20:46:07,5Z"`, `"2014-10-01T2:46:07Z"`, `"2014-10-01T24:00:00Z"`, `"2014-10-01T23:60:00Z"`, `"2014-10-01T23:59:60Z"`,
	`"2014-13-01T00:00:00Z"`, `"2014-00-01T00:00:00Z"`, `"2014-02-29T00:00:00Z"`, `"2012-02-29T00:00:00Z"`, `"1900-02-29T00:00:00Z"`, `"2000-02-29T00:00:00Z"`,
	`"2014-04-31T00:00:00Z"`, `"2014-04-00T00:00:00Z"`, `"0000-01-01T00:00:00Z"`, `"0001-01-01T00:00:00Z"`, `"9999-12-31T23:59:59.999999999-23:59"`,
	`"2014-10-01T20:46:07+24:00"`, `"2014-10-01T20:46:07+23:60"`, `"2014-10-01T20:46:07+05:60"`, `"2014-10-01T20:46:07+25:00"`, `"2014-10-01T20:46:07+05:61"`,
	`"2014-10-01 20:46:07Z"`, `"2014-10-01T20:46:07"`, `"2014-10-01T20:46:07z"`, `"2014-10-01t20:46:07Z"`, `"2014-10-01T20:46:07.Z"`, `"2014-10-01T20:46:07+0500"`,
	`"2014-10-01T20:46:07\u005a"`, `""`, `null`, `0`, `1412196367`, `{}`, `[]`, `true`, `" 2014-10-01T20:46:07Z"`, `"12014-10-01T20:46:07Z"`,
}

var configNames = []string{
	"Hostname", "Domainname", "User", "AttachStdin", "ExposedPorts", "Tty", "Env", "Cmd", "Healthcheck", "ArgsEscaped", "Image", "Volumes", "WorkingDir",
	"Entrypoint", "NetworkDisabled", "MacAddress", "OnBuild", "Labels", "StopSignal", "StopTimeout", "Shell", "Memory", "CpuShares", "PortSpecs",
}

var values = []string{
	`null`, `""`, `"x<\/\u0041"`, `0`, `-0`, `7`, `1.0`, `1e3`, `9223372036854775807`, `9223372036854775808`, `true`, `false`, `[]`, `["a"]`, `[null]`, `[1]`, `{}`,
	`{"b":{},"a":{"x":1}}`, `{"b":null}`, `{"b":"x","a":"y"}`, `{"b":1}`, `{"Test":["CMD","x"],"Interval":5,"Retries":0}`, `{"Test":null,"Timeout":"5s"}`,
}

// A generator of numbers of our own, so that the vectors are the same whatever the version of Go.
type dice struct{ state uint64 }

func (d *dice) roll(sides int) int {
	d.state = d.state*6364136223846793005 + 1442695040888963407
	return int((d.state >> 33) % uint64(sides))
}

func (d *dice) pick(from []string) string { return from[d.roll(len(from))] }

var sane = map[string][]string{
	"Hostname": {`"a3f1c2"`, `""`}, "Domainname": {`""`, `"b.c"`}, "User": {`""`, `"www-data:www"`}, "AttachStdin": {`false`}, "ExposedPorts": {`null`, `{"80/tcp":{}}`, `{"9000/udp":{},"22/tcp":{}}`, `{}`},
	"Tty": {`false`, `true`}, "Env": {`null`, `["PATH=/usr/bin:/bin","A=<b>&c"]`, `[]`}, "Cmd": {`null`, `["/bin/sh","-c","#(nop) CMD [\"x\"]"]`, `"bash"`},
	"Healthcheck": {`{"Test":["CMD-SHELL","true"],"Interval":30000000000}`, `{}`}, "ArgsEscaped": {`true`}, "Image": {`""`, `"ubuntu"`}, "Volumes": {`null`, `{"/data":{}}`, `{}`},
	"WorkingDir": {`""`, `"/srv"`}, "Entrypoint": {`null`, `["/entry"]`, `[]`}, "NetworkDisabled": {`false`, `true`}, "MacAddress": {`""`, `"02:42:ac:11:00:02"`},
	"OnBuild": {`null`, `[]`, `["RUN x"]`}, "Labels": {`null`, `{}`, `{"z":"1","a":"\u00e9","vendor":"A \u0026 B"}`}, "StopSignal": {`"SIGTERM"`}, "StopTimeout": {`10`, `0`},
	"Shell": {`["/bin/bash","-c"]`}, "Memory": {`0`, `9223372036854775808123`}, "CpuShares": {`0`}, "PortSpecs": {`null`},
}

func (d *dice) config() string {
	members := []string{}
	for _, name := range configNames {
		if d.roll(3) > 0 {
			members = append(members, fmt.Sprintf(`%q:%s`, name, d.pick(sane[name])))
		}
	}
	for at := range members {
		other := d.roll(at + 1)
		members[at], members[other] = members[other], members[at]
	}
	return "{" + strings.Join(members, d.pick([]string{",", " , ", ",\n\t"})) + "}"
}

func (d *dice) image() string {
	members := []string{fmt.Sprintf(`"id":"%064x"`, d.roll(1<<30))}
	add := func(name string, from ...string) {
		if d.roll(4) > 0 {
			members = append(members, fmt.Sprintf(`%q:%s`, name, d.pick(from)))
		}
	}
	add("created", times[0], times[1], times[2], times[7])
	add("parent", `""`, `"ab"`)
	add("docker_version", `"0.6.3"`, `"1.0.0-dev"`, `"1.6.2"`, `"1.8.2"`, `"1.8.3"`, `"1.9.1"`, `"1.12.6"`)
	add("container", `"c0ffee"`)
	add("container_config", d.config(), `{}`)
	add("config", d.config(), d.config(), `null`)
	add("comment", `""`, `"Imported from -"`, `"a\tb"`)
	add("author", `""`, `"A <a@b.c>"`)
	add("architecture", `"amd64"`, `"x86_64"`)
	add("os", `"linux"`)
	add("Size", `0`, `12345`)
	add("checksum", `"tarsum+sha256:ab"`, `["x"]`)
	add("throwaway", `true`)
	return "{" + strings.Join(members, ",") + "}"
}
