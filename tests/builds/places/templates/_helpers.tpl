{{- define "places.name" -}}
{{ .Release.Name }}
{{- end }}

{{- define "places.container" -}}
- name: web
  image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default "1.0.0" }}"
  {{- if eq (include "places.name" .) .Release.Name }}
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  {{- end }}
{{- end }}
