{{- define "dyno.labels" -}}
app.kubernetes.io/name: dyno
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: portal
{{- end }}
{{- define "dyno.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- define "dyno.runs" -}}
{{ .Values.runs.namespace | default .Release.Namespace }}
{{- end }}
{{- /* What is of the whole cluster carries the namespace, so that two portals live side by side. */ -}}
{{- define "dyno.clusterwide" -}}
{{ .Release.Namespace }}-{{ .Release.Name }}-nodes
{{- end }}
